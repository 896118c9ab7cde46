"""Makes fixtures/real-models/gguf-NAME.json: published GGUF files in float32, dequantised by transformers.

    scripts/real-models/fetch smollm2-135m-instruct gemma3-270m tokenizer-gemma3
    python scripts/reference/make_gguf_real.py ~/.cache/ift-real-models [NAME]

Of some hard lines of fixtures/real-tokenizers: ids behind bos, and for every position the largest logit, its logarithm of the sum of
exponentials, and the logits of twelve tokens, and the same by a forward pass in float64 (`exact`); of all lines a digest of the ids. The reference of the ids is the tokenizer.json that the model
was published with where the cache has it, else the one that transformers makes from the file. Of chat templates, the texts of conversations.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from exact_forward import exact_logits
from tiny_llama import FIXTURES, write_json

MODELS = {
    'smollm2-135m-instruct': ('SmolLM2-135M-Instruct.Q4_1.gguf', None),
    'gemma3-270m': ('gemma-3-270m-q4_k_m.gguf', 'tokenizer-gemma3'),
}
TOKENS = 12
SCORED = 12
TURNS = ['What is 2 + 2?', ' 4 ', 'Naïve café — 𝒜!\n\n\tIndented', '你好，世界', '{{ not }} {% a %} template', '<|im_end|> as text', '']


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def conversations(lines: list[str]) -> list[list[dict]]:
    roles = ['user', 'assistant']
    made = [[{'role': 'user', 'content': text}] for text in [*TURNS, *lines]]
    for i in range(0, len(lines) - 3, 9):
        made.append([{'role': roles[j % 2], 'content': text} for j, text in enumerate(lines[i : i + 3])])
        made.append([{'role': 'system', 'content': lines[i]}, {'role': 'user', 'content': lines[i + 1]}])
    return made


def seen(logits: torch.Tensor, picked: list[int]) -> dict:
    return {
        'logits': [[round(float(row[token]), 5) for token in picked] for row in logits],
        'largest': [round(float(row.max()), 5) for row in logits],
        'log_sum': [round(float(row.logsumexp(0)), 5) for row in logits],
    }


def main(cache: Path, name: str) -> None:
    file, published = MODELS[name]
    lines = json.loads((FIXTURES / 'real-tokenizers' / 'lines.json').read_text(encoding='utf-8'))
    made = AutoTokenizer.from_pretrained(cache / name, gguf_file=file) if published is None else None
    if made is not None:
        # That of the model's own tokenizer.json, and of llama.cpp under the file's name for it, `smollm`; transformers 5 splits no digits.
        digits = pre_tokenizers.Digits(individual_digits=True)
        made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer = made or PreTrainedTokenizerFast.from_pretrained(cache / published)
    ids = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
    model = AutoModelForCausalLM.from_pretrained(cache / name, gguf_file=file, dtype=torch.float32, attn_implementation='eager').eval()
    bos = tokenizer.bos_token_id
    rows = []
    for line in [i for i in range(len(lines)) if 8 <= len(ids[i]) <= 60][:: max(1, len(lines) // (2 * SCORED))][:SCORED]:
        sequence = [bos, *ids[line]]
        with torch.no_grad():
            logits = model(torch.tensor([sequence])).logits[0].double()
        picked = [(7919 * i + 13 * line) % logits.shape[1] for i in range(TOKENS)]
        exact = seen(exact_logits(model, sequence), picked)
        rows.append({'ids': sequence, 'picked': picked, **seen(logits, picked), 'exact': exact})
    value = {'rows': rows, 'ids': [digest(' '.join(map(str, one))) for one in ids]}
    if made is not None:
        chats = conversations(lines[:160])
        texts = [made.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
        value |= {'lines': 160, 'texts': [digest(text) for text in texts]}
    write_json(FIXTURES / 'real-models' / f'gguf-{name}.json', value)


if __name__ == '__main__':
    for name in sys.argv[2:] or MODELS:
        main(Path(sys.argv[1]).expanduser(), name)
