"""Rows of instruction data by `datasets` and `tokenizers`: read, rendered with a Jinja chat template, tokenised in batches, labelled, kept
as Arrow files. Prints processor seconds, peak memory, rows and tokens as one line of JSON.

    python datasets_tokenizers.py ROWS TOKENIZER_DIR MAX_LENGTH
    python datasets_tokenizers.py --to-parquet ROWS.jsonl ROWS.parquet
"""

import json
import os
import resource
import sys
import tempfile

import datasets
import jinja2.sandbox
import tokenizers


def to_parquet(rows, path, cache):
    datasets.load_dataset("json", data_files=rows, split="train", cache_dir=cache).to_parquet(path)
    print("{}")


def prepare(rows, folder, max_length, cache):
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "tokenizer_config.json")) as file:
        config = json.load(file)
    # As transformers compiles chat templates, once.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(config["chat_template"])
    names = {name: config.get(name) for name in ("bos_token", "eos_token")}

    def encode(batch):
        texts, begins = [], []
        for instruction, more, answer in zip(batch["instruction"], batch["input"], batch["output"]):
            question = instruction + "\n\n" + more if more else instruction
            messages = [{"role": "user", "content": question}]
            begins.append(len(template.render(messages=messages, add_generation_prompt=True, **names)))
            messages.append({"role": "assistant", "content": answer})
            texts.append(template.render(messages=messages, add_generation_prompt=False, **names))
        ids, labels = [], []
        encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
        for begin, encoding in zip(begins, encodings):
            own = encoding.ids[:max_length]
            first = encoding.char_to_token(begin)
            first = len(own) if first is None else min(first, len(own))
            ids.append(own)
            labels.append([-100] * first + own[first:])
        return {"input_ids": ids, "labels": labels}

    kind = "parquet" if rows.endswith(".parquet") else "json"
    data = datasets.load_dataset(kind, data_files=rows, split="train", cache_dir=cache)
    data = data.map(encode, batched=True, remove_columns=data.column_names)
    used = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "rows": len(data),
        "tokens": sum(len(chunk.flatten()) for chunk in data.data.column("input_ids").chunks),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_rss_mib": used.ru_maxrss / 1024,
        "versions": {"datasets": datasets.__version__, "tokenizers": tokenizers.__version__},
    }
    print(json.dumps(result))


datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as folder:
    if sys.argv[1] == "--to-parquet":
        to_parquet(sys.argv[2], sys.argv[3], folder)
    else:
        prepare(sys.argv[1], sys.argv[2], int(sys.argv[3]), folder)
