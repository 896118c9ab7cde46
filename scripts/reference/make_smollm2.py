"""Makes fixtures/real-models/smollm2.json: SmolLM2-135M-Instruct in float32, dequantised from its GGUF by transformers. Greedy answers to
chat prompts, and the losses of 20 steps of LoRA by PEFT.

    scripts/real-models/fetch smollm2-135m-instruct
    python scripts/reference/make_smollm2.py FOLDER

FOLDER is where fetch put the model. A of the adapter starts from numbers that a test computes too; B is zero. The rows of data are one
batch, so their order has no part in it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_llama import FIXTURES, write_json

OUT = FIXTURES / 'real-models' / 'smollm2.json'
GGUF = 'SmolLM2-135M-Instruct.Q4_1.gguf'
STEPS, RATE, RANK, ALPHA = 20, 1e-3, 4, 8
TARGETS = ['q_proj', 'v_proj']

PROMPTS = [
    [{'role': 'user', 'content': 'What is the capital of France?'}],
    [
        {'role': 'system', 'content': 'You answer in one word.'},
        {'role': 'user', 'content': 'Which colour does the sky have?'},
        {'role': 'assistant', 'content': 'Blue.'},
        {'role': 'user', 'content': 'And grass?'},
    ],
]
ROWS = [
    [{'role': 'user', 'content': 'Say hello in French.'}, {'role': 'assistant', 'content': 'Bonjour, tout le monde!'}],
    [{'role': 'user', 'content': 'Name three primes.'}, {'role': 'assistant', 'content': 'Three primes are 7, 11 and 13.'}],
]


def template(tokenizer, messages: list[dict], **options) -> list[int]:
    return tokenizer.apply_chat_template(messages, return_dict=False, **options)


def greedy(model, tokenizer, messages: list[dict]) -> dict:
    prompt = template(tokenizer, messages, add_generation_prompt=True)
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=48)
    answer = out[0, len(prompt) :].tolist()
    return {'messages': messages, 'prompt': prompt, 'answer': answer, 'text': tokenizer.decode(answer, skip_special_tokens=True)}


def row(tokenizer, messages: list[dict]) -> dict:
    """The answer is learned, and the token that ends it."""
    prompt = template(tokenizer, messages[:-1], add_generation_prompt=True)
    ids = template(tokenizer, messages)
    end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)
    ids = ids[:end]
    assert ids[: len(prompt)] == prompt
    return {'ids': ids, 'labels': [-100] * len(prompt) + ids[len(prompt) :]}


def start(tensors: dict[str, torch.nn.Parameter]) -> None:
    """A[i] of the t-th tensor by name: (2 u - 1) / sqrt(in), u = ((i + 10007 t) · 2654435761 mod 2^32) / 2^32."""
    for t, name in enumerate(sorted(tensors)):
        parameter = tensors[name]
        index = np.arange(parameter.numel(), dtype=np.uint64) + np.uint64(10007 * t)
        u = (index * np.uint64(2654435761) % np.uint64(2**32)).astype(np.float64) / 2**32
        values = (2 * u - 1) / np.sqrt(parameter.shape[1])
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values.reshape(parameter.shape)).float())


def losses(model, rows: list[dict]) -> list[float]:
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS, task_type='CAUSAL_LM')
    model = get_peft_model(model, config).eval()
    start({name: p for name, p in model.named_parameters() if 'lora_A' in name})
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    count = sum(label != -100 for one in rows for label in one['labels'])
    found = []
    for _ in range(STEPS):
        total = 0.0
        for one in rows:
            logits = model(torch.tensor([one['ids']])).logits[0, :-1]
            labels = torch.tensor(one['labels'][1:])
            loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction='sum') / count
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(round(total, 6))
    return found


if __name__ == '__main__':
    folder = Path(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32).eval()
    answers = [greedy(model, tokenizer, messages) for messages in PROMPTS]
    rows = [row(tokenizer, messages) for messages in ROWS]
    OUT.parent.mkdir(exist_ok=True)
    write_json(
        OUT,
        {
            'answers': answers,
            'end': tokenizer.convert_tokens_to_ids('<|im_end|>'),
            'lora': {'r': RANK, 'alpha': ALPHA, 'targets': TARGETS, 'learning_rate': RATE},
            'rows': rows,
            'losses': losses(model, rows),
        },
    )
