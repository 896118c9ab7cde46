"""LoRA fine-tuning with transformers and PEFT on a GPU: the peer of bench/gpu/train.ts.

    python bench/gpu/torch_train.py 4x512 2x2048+checkpointing 4x512+alpaca [--device cuda] [--model llama-7b]

Random weights in LLaMA-7B's shape, bf16 base, float32 adapters of rank 16 under autocast, SDPA, fused AdamW. One model for
all runs; a run is batch x length, with gradient checkpointing or with lengths like Alpaca's, padded to the longest of a
batch; only tokens that are not padding count. A line of JSON for each run, at its end; one that does not fit in memory says so.
"""

import argparse
import json
import math
import random
import re
import time

SHAPES = {
    'llama-7b': dict(
        vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32
    ),
    'tiny': dict(
        vocab_size=2048, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
    ),
}


def lengths(count: int, longest: int) -> list[int]:
    source = random.Random(7)
    return [min(longest, max(24, round(90 * math.exp(0.7 * source.gauss(0, 1))))) for _ in range(count)]


def parsed(text: str, parser: argparse.ArgumentParser) -> tuple[int, int, str]:
    """Rows, length and how, of `4x512+checkpointing`."""
    found = re.fullmatch(r'(\d+)x(\d+)(?:\+(checkpointing|alpaca))?', text)
    if not found:
        parser.error(f'{text}: expected BATCHxLENGTH, with +checkpointing or +alpaca behind it')
    return int(found[1]), int(found[2]), found[3] or ''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+')
    parser.add_argument('--model', choices=SHAPES, default='llama-7b')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--steps', type=int, default=6)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--rank', type=int, default=16)
    parser.add_argument('--peak-tflops', type=float, default=989)
    arguments = parser.parse_args()
    runs = [parsed(text, parser) for text in arguments.runs]

    import peft
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    device = arguments.device
    torch.manual_seed(0)
    shape = SHAPES[arguments.model]
    config = LlamaConfig(**shape, max_position_embeddings=4096, rms_norm_eps=1e-5, use_cache=False)
    config._attn_implementation = 'sdpa'
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        base = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    lora = LoraConfig(r=arguments.rank, lora_alpha=16, lora_dropout=0.0, target_modules='all-linear', task_type='CAUSAL_LM')
    model = get_peft_model(base, lora).to(device)
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    vocab = shape['vocab_size']
    hidden, inner = shape['hidden_size'], shape['intermediate_size']
    kv = hidden // shape['num_attention_heads'] * shape['num_key_value_heads']
    parameters = shape['num_hidden_layers'] * (2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner) + vocab * hidden
    versions = {'torch': torch.__version__, 'transformers': transformers.__version__, 'peft': peft.__version__}

    def wait() -> None:
        if device == 'cuda':
            torch.cuda.synchronize()

    def train(rows: int, seq: int, alpaca: bool) -> dict:
        optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
        # As many samples as ift packs into a step of batch x seq tokens.
        samples = max(rows, round(rows * seq / 115)) if alpaca else rows

        def batch(index: int):
            if not alpaca:
                ids = torch.randint(3, vocab, (samples, seq), device=device)
                return {'input_ids': ids, 'labels': ids}, ids.numel()
            sizes = lengths((index + 1) * samples, seq)[-samples:]
            width = -(-max(sizes) // 8) * 8
            ids = torch.randint(3, vocab, (samples, width), device=device)
            mask = (torch.arange(width, device=device)[None] < torch.tensor(sizes, device=device)[:, None]).long()
            return {'input_ids': ids, 'labels': ids.masked_fill(mask == 0, -100), 'attention_mask': mask}, sum(sizes)

        losses, tokens, begin = [], 0, 0.0
        for index in range(arguments.warmup + arguments.steps):
            if index == arguments.warmup:
                wait()
                begin, tokens = time.perf_counter(), 0
            inputs, useful = batch(index)
            with torch.autocast(device, torch.bfloat16):
                loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            tokens += useful
        wait()
        seconds = time.perf_counter() - begin
        tflops = 4 * parameters * tokens / seconds / 1e12
        return {
            'tokensPerS': round(tokens / seconds, 1),
            'stepMs': round(1000 * seconds / arguments.steps, 2),
            'modelTflops': round(tflops, 2),
            'mfu': round(tflops / arguments.peak_tflops, 4),
            'peakMiB': torch.cuda.max_memory_allocated() // 2**20 if device == 'cuda' else None,
            'losses': [round(x, 5) for x in losses],
        }

    def measured(text: str, rows: int, seq: int, how: str) -> dict:
        if how == 'checkpointing':
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={'use_reentrant': False})
        else:
            model.gradient_checkpointing_disable()
        if device == 'cuda':
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        about = {
            'run': text,
            'peer': 'transformers+peft',
            'batch': rows,
            'seq': seq,
            'data': 'alpaca lengths, padded' if how == 'alpaca' else 'full sequences',
            'checkpointing': how == 'checkpointing',
        }
        try:
            return {**about, **train(rows, seq, how == 'alpaca'), 'versions': versions}
        except torch.OutOfMemoryError as error:
            model.zero_grad()
            return {**about, 'error': str(error)[:300], 'versions': versions}

    for text, run in zip(arguments.runs, runs):
        print(json.dumps(measured(text, *run)), flush=True)


if __name__ == '__main__':
    main()
