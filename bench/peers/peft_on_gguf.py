"""LoRA by PEFT on SmolLM2-135M-Instruct as transformers dequantises it from its GGUF file: the peer of bench/qlora-blocks.mjs.

    python bench/peers/peft_on_gguf.py --model FOLDER --gguf FILE --texts ROWS.jsonl --to FOLDER --steps 200

Writes what ift starts from to --to: rows.jsonl, token ids and labels of each row in the order of training, and initial/, the adapter before
the first step. Prints one line of JSON: the loss of each step, tokens in a second, the peak of memory.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']


def row(tokenizer, text: dict, longest: int) -> dict:
    """The answer is learned, and the token that ends it."""
    question = '\n'.join(part for part in (text['instruction'], text.get('input')) if part)
    messages = [{'role': 'user', 'content': question}, {'role': 'assistant', 'content': text['output']}]
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    ids = ids[: len(ids) - ids[::-1].index(tokenizer.eos_token_id)][:longest]
    return {'ids': ids, 'labels': [-100] * len(prompt) + ids[len(prompt) :]}


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ('model', 'gguf', 'texts', 'to'):
        parser.add_argument(f'--{name}', required=True)
    parser.add_argument('--steps', type=int, default=200)
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--longest', type=int, default=256)
    parser.add_argument('--rate', type=float, default=2e-4)
    parser.add_argument('--rank', type=int, default=8)
    parser.add_argument('--dtype', choices=('f32', 'bf16'), default='bf16')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    to = Path(options.to)
    tokenizer = AutoTokenizer.from_pretrained(options.model, gguf_file=options.gguf)
    texts = [json.loads(line) for line in Path(options.texts).read_text().splitlines()]
    needed = options.steps * options.batch
    rows = [row(tokenizer, texts[i % len(texts)], options.longest) for i in range(needed)]
    rows_text = ''.join(json.dumps(one) + '\n' for one in rows)
    (to / 'rows.jsonl').write_text(rows_text)

    dtype = torch.float32 if options.dtype == 'f32' else torch.bfloat16
    written_out = GgufConfig(gguf_file=options.gguf, dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        options.model, gguf_file=options.gguf, quantization_config=written_out, dtype=dtype
    )
    config = LoraConfig(
        r=options.rank, lora_alpha=2 * options.rank, lora_dropout=0.0, target_modules=TARGETS, task_type='CAUSAL_LM'
    )
    model = get_peft_model(model, config)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    model.save_pretrained(to / 'initial')
    optimizer = torch.optim.AdamW(parameters, lr=options.rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses, seconds = [], []
    tokens = 0
    for step in range(options.steps):
        start = time.perf_counter()
        some = rows[step * options.batch : (step + 1) * options.batch]
        width = max(len(one['ids']) for one in some)
        ids = torch.tensor([one['ids'] + [0] * (width - len(one['ids'])) for one in some])
        labels = torch.tensor([one['labels'] + [-100] * (width - len(one['labels'])) for one in some])
        mask = torch.tensor([[1] * len(one['ids']) + [0] * (width - len(one['ids'])) for one in some])
        with torch.autocast('cpu', torch.bfloat16, enabled=options.dtype == 'bf16'):
            logits = model(ids, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(round(loss.item(), 6))
        if step > 1:
            seconds.append(time.perf_counter() - start)
            tokens += sum(len(one['ids']) for one in some)
    print(
        json.dumps(
            {
                'losses': losses,
                'tokens_per_s': round(tokens / sum(seconds), 1) if seconds else None,
                'peak_rss_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                'torch': torch.__version__,
            }
        )
    )


if __name__ == '__main__':
    main()
