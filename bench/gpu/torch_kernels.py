"""Times of PyTorch's kernels at the sizes of bench/gpu/kernels.ts: cuBLAS products, attention of SDPA by backend, a copy.

    python bench/gpu/torch_kernels.py [--device cuda] [--small]

Measured as timing.ts does: calls over sets of buffers in turn that have more bytes than the last cache, captured as a CUDA
graph, medians of the wall time of its replays. Prints a line of JSON for every kernel with the same names, shapes and units,
then how many there were.
"""

import argparse
import json
import math
import statistics
import time

ROTATE = 208e6
MOST_SETS = 64


class Timing:
    """Prints a row for every kernel it times."""

    def __init__(self, torch, device: str, small: bool) -> None:
        self.torch, self.device = torch, device
        self.rotate = 0 if small else ROTATE
        self.calls, self.sample, self.samples = (2, 0.0, 1) if small else (8, 8e-3, 9)
        self.rows = self.failed = 0
        self.stream = torch.cuda.Stream() if device == 'cuda' else None

    def row(self, values: dict) -> None:
        self.rows += 1
        self.failed += 'error' in values
        print(json.dumps(values), flush=True)

    def wait(self) -> None:
        if self.device == 'cuda':
            self.torch.cuda.synchronize()

    def time(self, kernel: str, shape: str, make, size: float, flop=None, moved=None, **more) -> bool:
        """`make` makes a set of `size` bytes and returns the call on it. Whether it could be timed."""
        try:
            sets = max(2, min(MOST_SETS, math.ceil(self.rotate / size)))
            if self.stream is None:
                seconds, how = self.sampled([make() for _ in range(sets)])
            else:
                # The backward of autograd runs on the stream of its forward.
                self.stream.wait_stream(self.torch.cuda.current_stream())
                with self.torch.cuda.stream(self.stream):
                    seconds, how = self.sampled([make() for _ in range(sets)])
        except Exception as error:  # One kernel that this build lacks leaves the others.
            self.row({'kernel': kernel, 'shape': shape, **more, 'error': str(error)[:300]})
            return False
        row = {'kernel': kernel, 'shape': shape, **more, 'ms': float(f'{seconds * 1e3:.4g}')}
        if flop is not None:
            row['tflopPerS'] = float(f'{flop / seconds / 1e12:.4g}')
        if moved is not None:
            row['gbPerS'] = float(f'{moved / seconds / 1e9:.4g}')
        self.row({**row, 'sets': sets, **how})
        return True

    def sampled(self, calls) -> tuple[float, dict]:
        """Seconds of a call, and how they were found."""
        for _ in range(2):
            for call in calls:
                call()
        self.wait()
        rounds = math.ceil(self.calls / len(calls))

        def work() -> None:
            for _ in range(rounds):
                for call in calls:
                    call()

        each = rounds * len(calls)
        if self.stream is None:
            return self.median(work) / each, {'timing': 'queued'}
        try:
            graph = self.torch.cuda.CUDAGraph()
            with self.torch.cuda.graph(graph, stream=self.stream):
                work()
            return self.median(graph.replay) / each, {'timing': 'recorded'}
        except Exception as error:  # What cannot be captured is queued.
            return self.median(work) / each, {'timing': 'queued', 'reason': str(error)[:300]}

    def median(self, turn) -> float:
        def timed(turns: int) -> float:
            self.wait()
            begin = time.perf_counter()
            for _ in range(turns):
                turn()
            self.wait()
            return (time.perf_counter() - begin) / turns

        timed(1)
        turns = min(200, max(1, math.ceil(self.sample / timed(1))))
        return statistics.median(timed(turns) for _ in range(self.samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--small', action='store_true')
    arguments = parser.parse_args()

    import torch
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel

    device = arguments.device
    if arguments.small:
        tokens, hidden, inner, vocab, head_dim, sequences = [64], 128, 256, 512, 64, [(2, 48)]
    else:
        tokens, hidden, inner, vocab, head_dim = [2048, 4096], 4096, 11008, 32000, 128
        sequences = [(4, 512), (2, 2048), (1, 4096)]
    heads = hidden // head_dim
    timing = Timing(torch, device, arguments.small)
    # A processor has neither of the two.
    backends = ('FLASH_ATTENTION', 'CUDNN_ATTENTION') if device == 'cuda' else ('MATH',)

    def random(*shape, grad=False):
        return torch.randn(*shape, device=device, dtype=torch.bfloat16, requires_grad=grad)

    def attention(name: str, count: int, length: int, kv_heads: int, repeated: bool = False) -> bool:
        shape = f'{count}x{length} heads {heads}/{kv_heads} of {head_dim}'
        flop = 2 * count * heads * length * (length + 1) * head_dim
        keys = heads if repeated else kv_heads
        size = 2 * count * length * head_dim * 2 * (heads + keys)
        more = {'backend': name, **({'repeated': True} if repeated else {})}
        way = {'is_causal': True, **({'enable_gqa': True} if keys != heads else {})}

        def operands(grad: bool):
            return [random(count, one, length, head_dim, grad=grad) for one in (heads, keys, keys)]

        def forward():
            q, k, v = operands(False)

            def call():
                with torch.no_grad(), sdpa_kernel(getattr(SDPBackend, name)):
                    return F.scaled_dot_product_attention(q, k, v, **way)

            return call

        def backward():
            inputs = operands(True)
            with sdpa_kernel(getattr(SDPBackend, name)):
                out = F.scaled_dot_product_attention(*inputs, **way)
            dout = torch.randn_like(out)
            return lambda: torch.autograd.grad(out, inputs, dout, retain_graph=True)

        done = timing.time('attention', shape, forward, size, flop=flop, **more)
        # By convention 2.5 times the forward, whatever is recomputed.
        return done and timing.time('attentionBackward', shape, backward, 2 * size, flop=2.5 * flop, **more)

    for count, length in sequences:
        for name in backends:
            attention(name, count, length, heads)
            few = max(1, heads // 4)
            # Where it does not take fewer key heads, they are repeated beforehand.
            if not attention(name, count, length, few):
                attention(name, count, length, few, repeated=True)
    for m in tokens:
        for n, k in [(hidden, hidden), (3 * hidden, hidden), (2 * inner, hidden), (hidden, inner), (vocab, hidden)]:

            def product(transposed: bool, m=m, n=n, k=k):
                def make():
                    x, w, y = random(m, k), random(n, k) if transposed else random(k, n), random(m, n)
                    return lambda: torch.mm(x, w.T if transposed else w, out=y)

                return make

            size = 2 * (m * n + m * k + n * k)
            timing.time('gemm', f'{m}x{n}x{k} forward', product(True), size, flop=2 * m * n * k)
            timing.time('gemm', f'{m}x{n}x{k} backward', product(False), size, flop=2 * m * n * k)

    def copy():
        a, b = random(hidden * inner), random(hidden * inner)
        return lambda: a.copy_(b)

    timing.time('copy', f'{hidden * inner}', copy, 4 * hidden * inner, moved=4 * hidden * inner)
    name = torch.cuda.get_device_name() if device == 'cuda' else device
    print(json.dumps({'device': name, 'torch': torch.__version__, 'rows': timing.rows, 'failed': timing.failed}))


if __name__ == '__main__':
    main()
