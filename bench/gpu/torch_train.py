"""LoRA fine-tuning with transformers and PEFT on a GPU: the peer of bench/gpu/train.ts.

    python bench/gpu/torch_train.py --batch 4 --seq 512 [--checkpointing] [--alpaca] [--device cuda] [--model llama-7b]

Random weights in LLaMA-7B's shape, bf16 base, float32 adapters of rank 16 under autocast, SDPA, fused AdamW. --alpaca takes
lengths like Alpaca's, padded to the longest of a batch; only tokens that are not padding count. One line of JSON.
"""

import argparse
import json
import math
import random
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', choices=SHAPES, default='llama-7b')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--seq', type=int, default=512)
    parser.add_argument('--steps', type=int, default=6)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--rank', type=int, default=16)
    parser.add_argument('--checkpointing', action='store_true')
    parser.add_argument('--alpaca', action='store_true')
    parser.add_argument('--peak-tflops', type=float, default=989)
    arguments = parser.parse_args()

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
    if arguments.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={'use_reentrant': False})
        model.enable_input_require_grads()
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
    # As many samples as ift packs into a step of batch x seq tokens.
    samples = max(arguments.batch, round(arguments.batch * arguments.seq / 115)) if arguments.alpaca else arguments.batch
    vocab = shape['vocab_size']

    def batch(index: int):
        if not arguments.alpaca:
            ids = torch.randint(3, vocab, (samples, arguments.seq), device=device)
            return {'input_ids': ids, 'labels': ids}, ids.numel()
        sizes = lengths((index + 1) * samples, arguments.seq)[-samples:]
        width = -(-max(sizes) // 8) * 8
        ids = torch.randint(3, vocab, (samples, width), device=device)
        mask = (torch.arange(width, device=device)[None] < torch.tensor(sizes, device=device)[:, None]).long()
        return {'input_ids': ids, 'labels': ids.masked_fill(mask == 0, -100), 'attention_mask': mask}, sum(sizes)

    def wait() -> None:
        if device == 'cuda':
            torch.cuda.synchronize()

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
    hidden, inner = shape['hidden_size'], shape['intermediate_size']
    kv = hidden // shape['num_attention_heads'] * shape['num_key_value_heads']
    parameters = shape['num_hidden_layers'] * (2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner) + vocab * hidden
    tflops = 4 * parameters * tokens / seconds / 1e12
    print(
        json.dumps(
            {
                'peer': 'transformers+peft',
                'batch': arguments.batch,
                'seq': arguments.seq,
                'data': 'alpaca lengths, padded' if arguments.alpaca else 'full sequences',
                'checkpointing': arguments.checkpointing,
                'tokensPerS': round(tokens / seconds, 1),
                'stepMs': round(1000 * seconds / arguments.steps, 2),
                'modelTflops': round(tflops, 2),
                'mfu': round(tflops / arguments.peak_tflops, 4),
                'peakMiB': torch.cuda.max_memory_allocated() // 2**20 if device == 'cuda' else None,
                'losses': [round(x, 5) for x in losses],
                'versions': {'torch': torch.__version__, 'transformers': transformers.__version__, 'peft': peft.__version__},
            }
        )
    )


if __name__ == '__main__':
    main()
