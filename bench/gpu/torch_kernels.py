"""Times of PyTorch's kernels at the sizes of bench/gpu/kernels.ts: cuBLAS products, SDPA's attention, a copy.

    python bench/gpu/torch_kernels.py [--device cuda] [--small]

Prints one line of JSON with the same names, shapes and units.
"""

import argparse
import json
import math
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--small', action='store_true')
    arguments = parser.parse_args()

    import torch
    import torch.nn.functional as F

    device = arguments.device
    if arguments.small:
        tokens, hidden, inner, vocab, head_dim, sequences, repeats = [64], 128, 256, 512, 64, [(2, 48)], 2
    else:
        tokens, hidden, inner, vocab, head_dim, repeats = [2048, 4096], 4096, 11008, 32000, 128, 20
        sequences = [(4, 512), (2, 2048), (1, 4096)]
    heads = hidden // head_dim
    results = []

    def wait() -> None:
        if device == 'cuda':
            torch.cuda.synchronize()

    def measure(kernel, shape, call, flop=None, size=None) -> None:
        try:
            call()
            wait()
            best = math.inf
            for _ in range(3):
                begin = time.perf_counter()
                for _ in range(repeats):
                    call()
                wait()
                best = min(best, (time.perf_counter() - begin) / repeats)
        except Exception as error:  # One kernel that this build lacks leaves the others.
            results.append({'kernel': kernel, 'shape': shape, 'error': str(error)[:300]})
            return
        row = {'kernel': kernel, 'shape': shape, 'ms': float(f'{best * 1e3:.4g}')}
        if flop is not None:
            row['tflopPerS'] = float(f'{flop / best / 1e12:.4g}')
        if size is not None:
            row['gbPerS'] = float(f'{size / best / 1e9:.4g}')
        results.append(row)

    def random(*shape, grad=False):
        return torch.randn(*shape, device=device, dtype=torch.bfloat16, requires_grad=grad)

    for m in tokens:
        for n, k in [(hidden, hidden), (3 * hidden, hidden), (2 * inner, hidden), (hidden, inner), (vocab, hidden)]:
            x, w, v = random(m, k), random(n, k), random(k, n)
            measure('gemm', f'{m}x{n}x{k} forward', lambda x=x, w=w: x @ w.T, flop=2 * m * n * k)
            measure('gemm', f'{m}x{n}x{k} backward', lambda x=x, v=v: x @ v, flop=2 * m * n * k)
    for count, length in sequences:
        for kv_heads in (heads, max(1, heads // 4)):
            shape = f'{count}x{length} heads {heads}/{kv_heads} of {head_dim}'
            flop = 2 * count * heads * length * (length + 1) * head_dim
            q = random(count, heads, length, head_dim, grad=True)
            # Repeated beforehand: not every backend of SDPA takes fewer key heads.
            k, v = (random(count, heads, length, head_dim, grad=True) for _ in range(2))
            measure(
                'attention', shape, lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, is_causal=True), flop=flop
            )
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            dout = torch.randn_like(out)

            def backward(out=out, dout=dout, inputs=(q, k, v)):
                torch.autograd.grad(out, inputs, dout, retain_graph=True)

            measure('attentionBackward', shape, backward, flop=2.5 * flop)
    a, b = random(hidden * inner), random(hidden * inner)
    measure('copy', f'{hidden * inner}', lambda: a.copy_(b), size=4 * hidden * inner)
    name = torch.cuda.get_device_name() if device == 'cuda' else device
    print(json.dumps({'device': name, 'torch': torch.__version__, 'results': results}))


if __name__ == '__main__':
    main()
