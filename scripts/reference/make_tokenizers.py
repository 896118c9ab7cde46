"""Makes fixtures/tokenizers: small tokenizers and the ids that their reference implementations give.

sentencepiece (BPE and Unigram, with and without byte fallback, a normalisation map, user-defined pieces, collapsed
blanks) and Hugging Face's tokenizers (byte-level BPE split as Llama 3 does, WordPiece). Run from the root of the
repository with the packages of scripts/reference/requirements.txt:

    python scripts/reference/make_tokenizers.py
"""

import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece as spm
from sentencepiece.sentencepiece_model_pb2 import ModelProto
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path("fixtures/tokenizers")

SUBJECTS = ["the teacher", "a small robot", "my neighbour", "the old river", "this program", "her brother"]
VERBS = ["writes", "counts", "remembers", "explains", "carries", "paints"]
OBJECTS = ["three numbers", "a short story", "the blue door", "every question", "an honest answer", "12 apples"]
ZH = ["老师写了一个故事。", "机器人数了三个苹果。", "请解释这个问题。", "今天的天气很好。", "我们去公园散步。"]
OTHER = ["naïve café", "Straße", "мир и дом", "x = f(y) + 1", "don't stop", "A B C"]

TEXTS = [
    "the teacher writes a short story",
    "The Teacher WRITES!",
    "  leading and trailing  ",
    "two  blanks   three",
    "tab\tand\nnewline\r\n",
    "老师写了三个苹果。",
    "机器人 and robot 混合",
    "naïve café Straße",
    "мир",
    "😀 emoji 👩‍👩‍👧‍👦",
    "𠮷野家 𝒜",
    "ＡＢＣ　wide ﬁne ①",
    "x = f(y) + 12345",
    "don't, won't, it's",
    "<s>not special</s> <unk> <pad>",
    "before<tool>after <tool> x<tool>",
    "<0x0A><0xFF>",
    "a",
    "▁already▁marked",
    "unknown ☃ char ☃☃",
    "e\u0301 combining",
]


def corpus(seed: int) -> list[str]:
    rng = random.Random(seed)
    lines = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}." for _ in range(600)]
    lines += [line.capitalize() for line in lines[:200]]
    lines += [rng.choice(ZH) for _ in range(200)] + [rng.choice(OTHER) for _ in range(100)]
    rng.shuffle(lines)
    return lines


def write(path: Path, value) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def copy_model(source: Path, target: Path) -> None:
    """Without the paths it was trained from, so that it comes out with the same bytes everywhere."""
    model = ModelProto.FromString(source.read_bytes())
    for field in ("input", "model_prefix"):
        model.trainer_spec.ClearField(field)
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    target.write_bytes(model.SerializeToString(deterministic=True))


def sentencepiece_fixture(name: str, **options) -> None:
    folder = OUT / name
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        text = Path(work) / "corpus.txt"
        text.write_text("\n".join(corpus(7)), encoding="utf-8")
        if options.pop("rules", False):
            rules = Path(work) / "rules.tsv"
            pairs = [(0xFF21 + i, [0x41 + i]) for i in range(26)]
            pairs += [(0x3000, [0x20]), (0xFB01, [0x66, 0x69]), (0x2460, [0x31]), (0x09, [0x20]), (0x0A, [0x20])]
            lines = [f"{source:X}\t{' '.join(f'{t:X}' for t in target)}" for source, target in pairs]
            rules.write_text("\n".join(lines) + "\n")
            options["normalization_rule_tsv"] = str(rules)
        spm.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(Path(work) / "m"), num_threads=1, minloglevel=2, **options
        )
        copy_model(Path(work) / "m.model", folder / "tokenizer.model")
    reference = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))

    def case(text: str) -> dict:
        ids = reference.encode(text)
        # sentencepiece writes " ⁇ " for the unknown piece, transformers and ift its name.
        return {"text": text, "ids": ids, "decoded": None if reference.unk_id() in ids else reference.decode(ids)}

    write(
        folder / "golden.json",
        {
            "made_by": f"sentencepiece {spm.__version__}",
            "cases": [case(t) for t in TEXTS],
        },
    )


def json_fixture(name: str, tokenizer: Tokenizer, config: dict | None) -> None:
    folder = OUT / name
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    if config is not None:
        write(folder / "tokenizer_config.json", config)
    # The file cuts and pads, which ift must not do.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    cases = []
    for text in TEXTS:
        if "<" in text:
            continue
        found = tokenizer.encode(text, add_special_tokens=False)
        cases.append({"text": text, "ids": found.ids, "decoded": tokenizer.decode(found.ids, skip_special_tokens=False)})
    write(folder / "golden.json", {"made_by": f"tokenizers {tokenizers.__version__}", "cases": cases})


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    words = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(words), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[]
    )
    tokenizer.train_from_iterator(corpus(7), trainer)
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    tokenizer.add_special_tokens(["<|eot|>"])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    return tokenizer


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator(corpus(7), trainer)
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]"))
    )
    return tokenizer


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    sentencepiece_fixture(
        "sp-bpe", model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True,
    )
    sentencepiece_fixture(
        "sp-bpe-user", model_type="bpe", vocab_size=420, normalization_rule_name="identity", add_dummy_prefix=False,
        remove_extra_whitespaces=False, user_defined_symbols=["<tool>"], control_symbols=["<pad>"],
    )
    sentencepiece_fixture("sp-unigram", model_type="unigram", vocab_size=420, rules=True, hard_vocab_limit=False)
    sentencepiece_fixture(
        "sp-unigram-bytes", model_type="unigram", vocab_size=600, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, hard_vocab_limit=False,
    )
    json_fixture("byte-level", byte_level(), {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
        "eos_token": {"__type": "AddedToken", "content": "<|end_of_text|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}, "chat_template": [{"name": "tool_use", "template": "T"},
        {"name": "default", "template": "{{ bos_token }}D"}]})
    json_fixture("word-piece", word_piece(), None)


if __name__ == "__main__":
    main()
