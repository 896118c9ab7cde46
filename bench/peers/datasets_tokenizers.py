"""Rows of instruction data by `datasets` and `tokenizers`: read, rendered with a Jinja chat template, tokenised in batches, labelled, kept
as Arrow files. Prints rows, tokens, processor seconds and peak memory of all its processes, and versions as one line of JSON.

    python datasets_tokenizers.py ROWS TOKENIZER_DIR MAX_LENGTH [NUM_PROC]

With one process, only `tokenizers` uses all cores; with several (`num_proc` of `Dataset.map`) each has a part of the rows.
    python datasets_tokenizers.py --to-parquet ROWS.jsonl ROWS.parquet
"""

import functools
import importlib.metadata
import json
import os
import platform
import resource
import sys
import tempfile

import datasets
import jinja2.sandbox
import pyarrow
import tokenizers


def to_parquet(rows, path, cache):
    datasets.load_dataset("json", data_files=rows, split="train", cache_dir=cache).to_parquet(path)
    print("{}")


@functools.cache
def opened(folder):
    """Tokenizer, chat template and the tokens that it names; each process opens its own, since a compiled template does not travel."""
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "tokenizer_config.json")) as file:
        config = json.load(file)
    # As transformers compiles chat templates, once.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(config["chat_template"])
    return tokenizer, template, {name: config.get(name) for name in ("bos_token", "eos_token")}


def encode(batch, folder, max_length):
    tokenizer, template, names = opened(folder)
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


def prepare(rows, folder, max_length, num_proc, cache):
    kind = "parquet" if rows.endswith(".parquet") else "json"
    data = datasets.load_dataset(kind, data_files=rows, split="train", cache_dir=cache)
    data = data.map(
        encode,
        batched=True,
        remove_columns=data.column_names,
        fn_kwargs={"folder": folder, "max_length": max_length},
        num_proc=num_proc if num_proc > 1 else None,
    )
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = {
        "rows": len(data),
        "tokens": sum(len(chunk.flatten()) for chunk in data.data.column("input_ids").chunks),
        "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
        # The system tells the largest of the other processes: an upper bound of all together, shared pages counted in each.
        "peak_rss_mib": (used[0].ru_maxrss + (num_proc * used[1].ru_maxrss if num_proc > 1 else 0)) / 1024,
        "versions": {
            "python": platform.python_version(),
            "datasets": datasets.__version__,
            "tokenizers": tokenizers.__version__,
            "pyarrow": pyarrow.__version__,
            "jinja2": importlib.metadata.version("jinja2"),
        },
    }
    print(json.dumps(result))


datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as folder:
    if sys.argv[1] == "--to-parquet":
        to_parquet(sys.argv[2], sys.argv[3], folder)
    else:
        num_proc = int(sys.argv[4]) if len(sys.argv) > 4 else 1
        prepare(sys.argv[1], sys.argv[2], int(sys.argv[3]), num_proc, folder)
