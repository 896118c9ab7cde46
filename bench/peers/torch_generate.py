"""Speed of greedy decoding with PyTorch and transformers on a CPU: the peer of bench/decode.mjs.

    python bench/peers/torch_generate.py --model smollm2-135m --batch 1 --new 64

Random weights in the shape of the named model, SDPA, `generate` with a static cache (--dynamic: with transformers' default
cache). Prints one line of JSON; tokens_per_s is that of the tokens after the first one.
"""

import argparse
import json
import os
import resource
import statistics
import time

from torch_peft import MODELS, TUNABLES, machine


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', choices=MODELS, default='smollm2-135m')
    parser.add_argument('--dtype', choices=('bf16', 'f32'), default='bf16')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--new', type=int, default=64)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--prompt', type=int, default=128, help='tokens of each prompt')
    parser.add_argument('--dynamic', action='store_true')
    parser.add_argument('--threads', type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if os.environ.get('GLIBC_TUNABLES') != TUNABLES:
        import sys

        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, 'GLIBC_TUNABLES': TUNABLES})
    load_before = machine()

    import torch
    import transformers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = LlamaConfig(**MODELS[arguments.model], max_position_embeddings=2048, rms_norm_eps=1e-5)
    config._attn_implementation = 'sdpa'
    torch.set_default_dtype(torch.bfloat16 if arguments.dtype == 'bf16' else torch.float32)
    model = LlamaForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    ids = torch.randint(3, config.vocab_size, (arguments.batch, arguments.prompt))

    def seconds(count: int) -> float:
        start = time.time()
        cache = {} if arguments.dynamic else {'cache_implementation': 'static'}
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
            disable_compile=True,
            **cache,
        )
        assert out.shape[1] == arguments.prompt + count
        return time.time() - start

    with torch.inference_mode():
        seconds(4)
        rates, prefills = [], []
        for _ in range(arguments.rounds):
            first = seconds(1)
            rates.append(arguments.batch * (arguments.new - 1) / (seconds(arguments.new) - first))
            prefills.append(first)
    print(
        json.dumps(
            {
                'peer': 'transformers',
                'work': 'decode',
                'model': arguments.model,
                'dtype': arguments.dtype,
                'batch': arguments.batch,
                'cache': 'dynamic' if arguments.dynamic else 'static',
                'prompt_tokens': arguments.prompt,
                'new_tokens': arguments.new,
                'tokens_per_s': round(statistics.median(rates), 1),
                'rounds': [round(rate, 1) for rate in rates],
                'prefill_s': round(statistics.median(prefills), 3),
                'peak_rss_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                'threads': arguments.threads,
                'versions': {'torch': torch.__version__, 'transformers': transformers.__version__},
                'machine': load_before,
                'date': time.strftime('%Y-%m-%d'),
            }
        )
    )


if __name__ == '__main__':
    main()
