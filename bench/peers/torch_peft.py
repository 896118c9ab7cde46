"""Speed of LoRA fine-tuning with PyTorch, transformers and PEFT on a CPU: the peer that ift is measured against.

    pip install -r scripts/reference/requirements.txt
    python bench/peers/torch_peft.py --model smollm2-135m --batch 2 --seq 256
    python bench/peers/torch_peft.py --model smollm2-135m --batch 4 --alpaca alpaca_en_demo.json --tokenizer tokenizer.model

Prints one line of JSON. Random weights in the shape of the named model (nothing is downloaded), LoRA of rank 8 on all linear
layers of the decoder, SDPA, fused AdamW. --dtype bf16: the base in bf16 and the adapters in float32, under autocast; --dtype
f32: everything in float32. One optimizer step per batch.

--alpaca takes batches of real lengths, padded to the longest of the batch (a multiple of 8) as DataCollatorForSeq2Seq pads them;
tokens_per_s then counts the tokens that are not padding. --group-by-length puts samples of like length together, as the
option of transformers' Trainer does.

The process starts itself again with glibc's allocator set so that freed activations stay mapped and lie in huge pages, which
PyTorch on a CPU gains much by; --plain-malloc leaves that out.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time

TUNABLES = ':'.join(
    (
        'glibc.malloc.hugetlb=1',
        'glibc.malloc.mmap_threshold=4294967296',
        'glibc.malloc.trim_threshold=8589934592',
        'glibc.malloc.top_pad=268435456',
    )
)

# Set before torch is imported, so that it counts in the time to the first step; kept over the restart.
STARTED = float(os.environ.setdefault('TORCH_PEFT_STARTED', repr(time.time())))

MODELS = {
    'smollm2-135m': {
        'vocab_size': 49152,
        'hidden_size': 576,
        'intermediate_size': 1536,
        'num_hidden_layers': 30,
        'num_attention_heads': 9,
        'num_key_value_heads': 3,
        'tie_word_embeddings': True,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 100000.0},
    },
    'tinyllama-1.1b': {
        'vocab_size': 32000,
        'hidden_size': 2048,
        'intermediate_size': 5632,
        'num_hidden_layers': 22,
        'num_attention_heads': 32,
        'num_key_value_heads': 4,
        'tie_word_embeddings': False,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 10000.0},
    },
}

WITH_INPUT = (
    'Below is an instruction that describes a task, paired with an input that provides further context. '
    'Write a response that appropriately completes the request.\n\n'
    '### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n'
)
WITHOUT_INPUT = (
    'Below is an instruction that describes a task. '
    'Write a response that appropriately completes the request.\n\n'
    '### Instruction:\n{instruction}\n\n### Response:\n'
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', choices=MODELS, default='smollm2-135m')
    parser.add_argument('--dtype', choices=('bf16', 'f32'), default='bf16')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--seq', type=int, default=256, help='tokens per sequence; with --alpaca the longest that is kept')
    parser.add_argument('--steps', type=int, default=5, help='measured steps')
    parser.add_argument('--warmup', type=int, default=2, help='steps before them, the first one included')
    parser.add_argument('--rank', type=int, default=8)
    parser.add_argument('--compile', action='store_true', help='torch.compile')
    parser.add_argument('--threads', type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument('--alpaca', metavar='FILE', help='JSON list of {instruction, input, output}')
    parser.add_argument('--tokenizer', metavar='FILE', help='SentencePiece model, for --alpaca')
    parser.add_argument('--group-by-length', action='store_true')
    parser.add_argument('--plain-malloc', action='store_true')
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    if arguments.alpaca and not arguments.tokenizer:
        parser.error('--alpaca needs --tokenizer')
    if arguments.warmup < 1:
        parser.error('--warmup must be at least 1: the first step is reported by itself')
    return arguments


def restart_with_tuned_malloc() -> None:
    if os.environ.get('GLIBC_TUNABLES') != TUNABLES:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, 'GLIBC_TUNABLES': TUNABLES})


def make_model(arguments):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**MODELS[arguments.model], max_position_embeddings=2048, rms_norm_eps=1e-5, use_cache=False)
    config._attn_implementation = 'sdpa'
    torch.set_default_dtype(torch.bfloat16 if arguments.dtype == 'bf16' else torch.float32)
    base = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    lora = LoraConfig(r=arguments.rank, lora_alpha=16, lora_dropout=0.0, target_modules='all-linear', task_type='CAUSAL_LM')
    model = get_peft_model(base, lora)  # keeps the adapters in float32
    model.train()
    return model


def random_batches(arguments):
    """Endless (inputs of the model, tokens that are not padding, trained tokens)."""
    import torch

    vocab = MODELS[arguments.model]['vocab_size']
    while True:
        ids = torch.randint(3, vocab, (arguments.batch, arguments.seq))
        yield {'input_ids': ids, 'labels': ids}, ids.numel(), arguments.batch * (arguments.seq - 1)


def alpaca_samples(arguments) -> list[tuple[list[int], int]]:
    """Ids and length of the prompt, which is not trained."""
    import sentencepiece

    tokenizer = sentencepiece.SentencePieceProcessor(model_file=arguments.tokenizer)
    with open(arguments.alpaca, encoding='utf-8') as file:
        records = json.load(file)
    samples = []
    for record in records:
        prompt = (WITH_INPUT if record.get('input') else WITHOUT_INPUT).format(**record)
        length = len(tokenizer.encode(prompt)) + 1
        ids = [tokenizer.bos_id(), *tokenizer.encode(prompt + record['output']), tokenizer.eos_id()][: arguments.seq]
        if length < len(ids):
            samples.append((ids, length))
    return samples


def alpaca_batches(arguments):
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    samples = alpaca_samples(arguments)
    lengths = [len(ids) for ids, _ in samples]
    print(f'{len(samples)} samples, median {statistics.median(lengths):.0f} tokens', file=sys.stderr)
    generator = torch.Generator().manual_seed(arguments.seed)
    while True:
        if arguments.group_by_length:
            order = get_length_grouped_indices(lengths, arguments.batch, generator=generator)
        else:
            order = torch.randperm(len(samples), generator=generator).tolist()
        for start in range(0, len(order) - arguments.batch + 1, arguments.batch):
            yield pad([samples[i] for i in order[start : start + arguments.batch]])


def pad(samples: list[tuple[list[int], int]]):
    import torch

    width = -(-max(len(ids) for ids, _ in samples) // 8) * 8
    ids = torch.zeros(len(samples), width, dtype=torch.long)
    labels = torch.full((len(samples), width), -100)
    mask = torch.zeros(len(samples), width, dtype=torch.long)
    for row, (sequence, prompt) in enumerate(samples):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        labels[row, prompt : len(sequence)] = torch.tensor(sequence[prompt:])
        mask[row, : len(sequence)] = 1
    return {'input_ids': ids, 'labels': labels, 'attention_mask': mask}, int(mask.sum()), int((labels != -100).sum())


def machine() -> dict:
    with open('/proc/cpuinfo') as file:
        fields = dict(line.split(':', 1) for line in file.read().split('\n\n')[0].splitlines() if ':' in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get('flags', fields.get('Features', '')).split()
    wanted = ('avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'bf16')
    return {
        'cpu': fields.get('model name', platform.machine()),
        'cores': os.cpu_count(),
        'isa': [flag for flag in wanted if flag in flags],
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
        'load_average': round(os.getloadavg()[0], 2),
    }


def main() -> None:
    arguments = parse()
    if not arguments.plain_malloc and platform.libc_ver()[0] == 'glibc':
        restart_with_tuned_malloc()
    load_before = machine()

    import peft
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = make_model(arguments)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
    call = torch.compile(model, dynamic=bool(arguments.alpaca)) if arguments.compile else model
    batches = alpaca_batches(arguments) if arguments.alpaca else random_batches(arguments)

    def step(inputs) -> float:
        with torch.autocast('cpu', torch.bfloat16, enabled=arguments.dtype == 'bf16'):
            loss = call(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    seconds, useful, padded, trained, losses = [], [], [], [], []
    to_first_step = 0.0
    for index in range(arguments.warmup + arguments.steps):
        inputs, tokens, labels = next(batches)
        begin = time.perf_counter()
        losses.append(step(inputs))
        seconds.append(time.perf_counter() - begin)
        if index == 0:
            to_first_step = time.time() - STARTED
        useful.append(tokens)
        padded.append(inputs['input_ids'].numel())
        trained.append(labels)

    measured = slice(arguments.warmup, None)
    total = sum(seconds[measured])
    print(
        json.dumps(
            {
                'peer': 'torch+peft' + ('+compile' if arguments.compile else ''),
                'model': arguments.model,
                'dtype': arguments.dtype,
                'data': 'alpaca' if arguments.alpaca else 'random',
                'batch': arguments.batch,
                'seq': arguments.seq,
                'rank': arguments.rank,
                'group_by_length': arguments.group_by_length,
                'tokens_per_s': round(statistics.median(n / s for n, s in zip(useful[measured], seconds[measured])), 1),
                'tokens_per_s_total': round(sum(useful[measured]) / total, 1),
                'trained_tokens_per_s_total': round(sum(trained[measured]) / total, 1),
                'padding_share': round(1 - sum(useful[measured]) / sum(padded[measured]), 3),
                'step_s': [round(s, 3) for s in seconds[measured]],
                'first_step_s': round(seconds[0], 3),
                'command_to_first_step_s': round(to_first_step, 3),
                'peak_rss_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                'trainable_parameters': sum(p.numel() for p in trainable),
                'loss': [round(losses[0], 4), round(losses[-1], 4)],
                'threads': arguments.threads,
                'tuned_malloc': os.environ.get('GLIBC_TUNABLES') == TUNABLES,
                'versions': {'torch': torch.__version__, 'transformers': transformers.__version__, 'peft': peft.__version__},
                'machine': load_before,
                'date': time.strftime('%Y-%m-%d', time.gmtime()),
            }
        )
    )


if __name__ == '__main__':
    main()
