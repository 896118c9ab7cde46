"""Makes fixtures/cases/tok-09-gguf-same-split-other-name/splits.json: a small byte-level vocabulary and the ids that llama.cpp
gives with it under the names of `tokenizer.ggml.pre`.

The vocabulary is trained on text that was not split, so that its tokens reach across any split. Lines are those of
fixtures/real-tokenizers/lines.json in NFC, without marks, other digits and capitals than ASCII's and other blanks, which
llama.cpp's patterns do not tell from letters and symbols. Needs llama.cpp as `npm install node-llama-cpp@3.22.1` brings it, in a folder that is named:

    python scripts/reference/make_gguf_splits.py <folder with node_modules/node-llama-cpp>
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import gguf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

OUT = Path("fixtures/cases/tok-09-gguf-same-split-other-name/splits.json")
LINES = Path("fixtures/real-tokenizers/lines.json")
# Patterns of cases that llama.cpp reads without cases; glm5 is younger than the build.
LEFT_OUT = {"cohere2moe", "tiny_aya", "youtu", "glm5", "glm4"}

ENCODE = """
import { readFileSync, readdirSync } from 'node:fs'
const { getLlama } = await import(process.argv[2] + '/node_modules/node-llama-cpp/dist/index.js')
const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: 'disabled' })
const lines = JSON.parse(readFileSync(process.argv[3] + '/lines.json'))
const out = {}
for (const file of readdirSync(process.argv[3]).filter((name) => name.endsWith('.gguf'))) {
  const model = await llama.loadModel({ modelPath: process.argv[3] + '/' + file, vocabOnly: true, gpuLayers: 0 })
  out[file.slice(0, -5)] = lines.map((line) => [...model.tokenize(line, false)])
  await model.dispose()
}
process.stdout.write(JSON.stringify(out), () => process.exit(0))
"""


def plain(line: str) -> bool:
    return len(line) < 200 and unicodedata.is_normalized("NFC", line) and not any(
        unicodedata.category(letter)[0] in "MC" and letter not in "\n\r\t"
        or letter > "\x7f" and (unicodedata.category(letter) in ("Nd", "Nl", "No") or letter.isspace() or letter.isupper())
        for letter in line
    )  # fmt: skip


def main() -> None:
    lines = [line for line in json.loads(LINES.read_text(encoding="utf-8")) if plain(line)]
    lines += ["Hello 12345 world\n\n  it's IT'S 1234567; x==y, a.b(c) \n\t\tz", "a.b,c! d? (e) [f] $1+2<3>=4^5~6|7`8"]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1200, initial_alphabet=alphabet, show_progress=False, special_tokens=["<|endoftext|>"], max_token_length=10
    )
    trained.train_from_iterator(lines * 2, trainer)
    model = json.loads(trained.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(merge) for merge in model["merges"]]
    source = Path("packages/tokenizers/src/gguf-splits.ts").read_text(encoding="utf-8")
    table = source[source.index("export const splits") :]
    names = [quoted or bare for quoted, bare in re.findall(r"^  (?:'([^']+)'|(\w+))[:,]", table, re.M)]
    with tempfile.TemporaryDirectory() as work:
        Path(work, "lines.json").write_text(json.dumps(lines))
        for name in set(names) - LEFT_OUT:
            writer = gguf.GGUFWriter(f"{work}/{name}.gguf", "llama")
            writer.add_context_length(512)
            writer.add_embedding_length(32)
            writer.add_block_count(1)
            writer.add_feed_forward_length(64)
            writer.add_head_count(4)
            writer.add_layer_norm_rms_eps(1e-6)
            writer.add_vocab_size(len(tokens))
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre(name)
            writer.add_token_list(tokens)
            writer.add_token_types([3] + [1] * (len(tokens) - 1))
            writer.add_token_merges(merges)
            writer.add_bos_token_id(0)
            writer.add_eos_token_id(0)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.close()
        Path(work, "encode.mjs").write_text(ENCODE)
        command = ["node", f"{work}/encode.mjs", str(Path(sys.argv[1]).resolve()), work]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    digest = lambda rows: hashlib.sha256("\n".join(" ".join(map(str, ids)) for ids in rows).encode()).hexdigest()
    ids = {name: digest(found[name]) for name in names if name in found}
    value = {"tokens": tokens, "merges": merges, "lines": lines, "ids": ids}
    OUT.write_text(json.dumps(value, indent=0, ensure_ascii=True) + "\n")
    print(len(lines), "lines,", len(set(ids.values())), "different ways to split among", len(ids), "names")


main()
