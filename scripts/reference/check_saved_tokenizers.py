"""Compares tokenizers that ift saved with the ones that they were read from, both loaded by transformers.

    python scripts/reference/check_saved_tokenizers.py fixtures/tokenizers/sp-bpe fixtures/family-tokenizers/qwen-vocab …

Every folder is read by ift and saved to a temporary one. Special tokens, padding and truncation side, length, template, the
tokens around a text (where the config tells) must be the same. The number of lines of fixtures/real-tokenizers/lines.json with
equal ids is printed: LlamaTokenizer of transformers 5 takes a blank away from texts that begin with one.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

SAVE = """
import { loadTokenizer } from './packages/tokenizers/dist/index.js'
const [from, to] = process.argv.slice(1)
await (await loadTokenizer(from)).save(to)
"""
FIELDS = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"]
FIELDS += ["padding_side", "truncation_side", "model_max_length", "chat_template", "clean_up_tokenization_spaces"]


def main() -> None:
    lines = json.loads(Path("fixtures/real-tokenizers/lines.json").read_text(encoding="utf-8"))
    failed = 0
    for folder in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as to:
            subprocess.run(["node", "--input-type=module", "-e", SAVE, folder, to], check=True)
            source, saved = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(to)
        wrong = [
            f"{field}: {getattr(source, field)!r} became {getattr(saved, field)!r}"
            for field in FIELDS
            if getattr(source, field, None) != getattr(saved, field, None)
        ]
        if set(source.all_special_tokens) != set(saved.all_special_tokens):
            wrong.append(f"special tokens: {source.all_special_tokens} became {saved.all_special_tokens}")
        if len(source) != len(saved):
            wrong.append(f"length: {len(source)} became {len(saved)}")
        path = Path(folder, "tokenizer_config.json")
        config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if "add_bos_token" in config and source("a")["input_ids"] != saved("a")["input_ids"]:
            wrong.append(f"around a text: {source('a')['input_ids']} became {saved('a')['input_ids']}")
        if set(source("a")) != set(saved("a")):
            wrong.append(f"fields: {list(source('a'))} became {list(saved('a'))}")
        encode = lambda tokenizer: [tokenizer.encode(line, add_special_tokens=False) for line in lines]
        same = sum(a == b for a, b in zip(encode(source), encode(saved)))
        print(folder, f"{same} of {len(lines)} lines equal", *wrong, sep="\n    ")
        failed += len(wrong) > 0
    sys.exit(1 if failed else 0)


main()
