"""Makes the SentencePiece models beside the inputs of fixtures/cases/tok-01-equal-scores and tok-02-characters-in-parts.

tok-01: BPE models in which pieces have equal scores: runs of blanks, tabs and signs with gaps between their lengths, words that
were added with the score 0 (as when a vocabulary is extended), all pieces of one score. tok-02: a Unigram and a BPE model with
a map of their own, which case-folds too. golden.json of each: texts and the ids that sentencepiece gives.

    python scripts/reference/make_sentencepiece_cases.py
"""

import json
import random
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece as spm
from sentencepiece.sentencepiece_model_pb2 import ModelProto

CASES = Path("fixtures/cases")
BYTES = 256


def write(folder: Path, model: ModelProto, texts: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString(deterministic=True)
    (folder / "tokenizer.model").write_bytes(data)
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
    processor = spm.SentencePieceProcessor(model_proto=data)
    golden = [[text, processor.encode(text)] for text in dict.fromkeys(texts)]
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")).replace("]],", "]],\n") + "\n")


def scored(pieces: list[tuple[str, float]]) -> ModelProto:
    model = ModelProto()
    first = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    first += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(BYTES)]
    firsts = {}
    for text, score in pieces:
        firsts.setdefault(text, score)
    for text, score, kind in first + [(text, score, 1) for text, score in firsts.items()]:
        model.pieces.add(piece=text, score=score, type=kind)
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(model.pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    return model


def parts(rng: random.Random, words: list[str]) -> list[str]:
    """Words with what they are put together of."""
    out = []
    todo = list(words)
    while todo:
        word = todo.pop()
        out.append(word)
        if len(word) > 1:
            at = rng.randint(1, len(word) - 1)
            todo += [word[:at], word[at:]]
    return out


def mixed(rng: random.Random, pieces: list[tuple[str, float]], count: int) -> list[str]:
    texts = []
    for _ in range(count):
        text = ""
        for _ in range(rng.randint(2, 9)):
            piece = rng.choice(pieces)[0]
            text += piece * rng.randint(2, 6) if rng.random() < 0.3 else piece
        texts.append(text.replace("▁", " ") + rng.choice(["", "", "☃", "z"]))
    return texts


def equal_scores() -> None:
    rng = random.Random(1)
    word = lambda letters, most: "".join(rng.choice(letters) for _ in range(rng.randint(2, most)))
    han = "今天气很好我们去公园散步老师写故事机器人工智能大学生活动物"
    base = [(text, -float(i)) for i, text in enumerate(dict.fromkeys(parts(rng, [word("abcde▁", 5) for _ in range(30)])))]
    base += [(letter, -1000.0 - i) for i, letter in enumerate(han)]
    added = parts(rng, [word(han, 4) for _ in range(120)])
    one = parts(rng, [word("abc▁", 6) for _ in range(40)])
    lengths = {"▁": (1, 2, 4, 5, 9, 10), "=": (1, 2, 3, 6, 7, 12, 5), "\t": (*range(1, 9), 16)}
    runs = [(letter * n, -1.0) for letter in lengths for n in lengths[letter]]
    models = {
        "added-words": base + [(text, 0.0) for text in added if len(text) > 1],
        "one-score": [(text, -5.0) for text in one],
        "repeated": runs + [("x", -9.0), ("y", -9.5), ("▁x", -3.0), ("▁y", -4.0), ("xy", -5.0)],
    }
    for name, pieces in models.items():
        write(CASES / "tok-01-equal-scores" / name, scored(pieces), mixed(rng, pieces, 200))


WORDS = (
    "한국어 텍스트 값 강아지 がっこう ガッコウ べんきょう ﾊﾟｿｺﾝ ﾀﾞ Việt Nam đẹp một người nước ế ậ ǖ "
    "مرحبا السَّلامُ ﻻَ ﷲ ภาษาไทย น้ำใจ देवनागरी हिन्दी क़ ड़ ज्ञ বাংলা কোনো தமிழ் கொள்கை "
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️ ﬁne ﬃ ① Ａ＜ｓ＞ ＢＣ café naïve Å Ångström ẛ̣ straße Ǆ ㌀ ½ x² … ᾴ ῼ бег Ёж ≠ the writer 123 ４５"
).split(" ")


def rules() -> list[tuple[str, str]]:
    """NFKC and case folding of the characters of the words, composed and in all their parts."""
    fold = lambda text: unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = {}
    for letter in sorted(set("".join(WORDS) + unicodedata.normalize("NFC", "".join(WORDS)))):
        apart = unicodedata.normalize("NFD", letter)
        for start in range(1, len(apart)):
            found[unicodedata.normalize("NFC", apart[:start]) + apart[start:]] = fold(letter)
        for text in (letter, apart):
            found[text] = fold(letter)
    found["か\u3099"] = "が"
    found["\u00ad"] = ""
    return sorted((a, b) for a, b in found.items() if a != b)


def maps() -> None:
    rng = random.Random(2)

    def text() -> str:
        out = []
        for _ in range(rng.randint(1, 5)):
            word = unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKD"]), rng.choice(WORDS))
            if rng.random() < 0.15:
                word += rng.choice("\u0301\u0323\u0302\u3099\u064e\u093c\u200d\ufe0f\u00ad\u11a8")
            if rng.random() < 0.05:
                word = "".join(rng.sample(word, len(word)))
            out.append(word)
        return rng.choice([" ", "", "  "]).join(out)

    forms = ("NFC", "NFD", "NFKC", "NFKD")
    texts = [unicodedata.normalize(form, word) for word in WORDS for form in forms] + [text() for _ in range(200)]
    with tempfile.TemporaryDirectory() as work:
        tsv, corpus = Path(work, "rules.tsv"), Path(work, "corpus.txt")
        spell = lambda letters: " ".join(f"{ord(letter):X}" for letter in letters)
        tsv.write_text("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in rules()))
        corpus.write_text("\n".join(" ".join(rng.sample(WORDS, 6)) for _ in range(1500)), encoding="utf-8")
        for kind in ("unigram", "bpe"):
            spm.SentencePieceTrainer.train(
                input=str(corpus), model_prefix=str(Path(work, kind)), model_type=kind, vocab_size=600, hard_vocab_limit=False,
                normalization_rule_tsv=str(tsv), byte_fallback=True, character_coverage=1.0, num_threads=1, minloglevel=2,
            )  # fmt: skip
            model = ModelProto.FromString(Path(work, f"{kind}.model").read_bytes())
            for field in ("input", "model_prefix"):
                model.trainer_spec.ClearField(field)
            model.normalizer_spec.ClearField("normalization_rule_tsv")
            write(CASES / "tok-02-characters-in-parts" / kind, model, texts)


equal_scores()
maps()
