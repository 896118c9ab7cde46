"""Makes fixtures/peft-lora/python-regex.json: which texts Python's re.fullmatch matches, for patterns of adapters, for every kind of
syntax, and for random patterns.

    python scripts/reference/make_python_regex.py
"""

import json
import random
import re
import warnings
from pathlib import Path

OUT = Path(__file__).parents[2] / 'fixtures' / 'peft-lora' / 'python-regex.json'

NAMES = [
    'lm_head',
    'model',
    'model.embed_tokens',
    'model.norm',
    *(
        f'model.layers.{i}.{name}'
        for i in (0, 1, 10, 21)
        for name in ('self_attn', 'self_attn.q_proj', 'self_attn.v_proj', 'mlp.gate_proj', 'mlp.down_proj', 'input_layernorm')
    ),
    'transformer.h.3.attn.c_attn',
    'visual.blocks.2.attn.qkv',
    'model.language_model.layers.4.self_attn.q_proj',
]
TEXTS = ['', 'a', 'A', 'b', 'ab', 'aB', 'aab', 'a\n', '\n', 'a b', ' ', '7', 'q7', '_', '-', ']', '[', '{', '}', 'a{2', 'aa', 'aaa', 'é', 'É', '٣', '.', '\\', '^', 'x1', 'a-c']

PATTERNS = [
    # As trainers write them.
    r'.*\.(q_proj|v_proj)',
    r'model\.layers\.(0|1|2[0-9])\.self_attn\.(?:q|k|v|o)_proj',
    r'^(?!.*(?:visual|patch_embed).*).*(?:q_proj|qkv).*$',
    r'^(language_model|model)(?=\.).*\.(k_proj|gate_proj|v_proj|q_proj|down_proj)$',
    r'(?:.*?(?:language|text).*?(?:self_attn|attention).*?(?:q_proj|v_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn)\.(?:(?:q_proj)))',
    r'(?P<where>.*)\.(?P<what>q_proj)',
    r'(?i).*\.(?P<which>Q|v)_PROJ\Z',
    r'(.*\.)?(q_proj)$',
    r'(.*\.)?(^model.layers.0.self_attn.q_proj)$',
    r'(?:^|.*?\.)layers\.(?P<idx>\d+)\..*',
    r'.*(?<!gate)_proj',
    r'.*(?<=self_attn\.)\w+',
    r'(?x) .* \. (q|v) _proj  # queries and values',
    r'(.*)*(.*)*(.*)*x',
    r'(a+)+$',
    r'.*layers\.\d+$',
    # Kinds of syntax.
    *(r'a|', r'|a', r'', r'()', r'()*', r'(?:^)*a', r'a{2}', r'a{2,}', r'a{,2}', r'a{1,2}?', r'a{2', r'a{,}', r'{', r'}', r'a{x}', r'[a-c]+', r'[^a-c]', r'[]a]', r'[^]]', r'[a\-c]+'),
    *(r'[\w-]+', r'[\d\s]', r'[[]', r'[a', r'[b-a]', r'[\d-z]', r'\d', r'\D', r'\w+', r'\W', r'\s', r'(?a)\w', r'(?a)\d', r'(?i)é', r'(?i)[A-C]b', r'(?i:a)b', r'(?i-s:a)B', r'(?s).', r'.', r'(?m)a$\n?'),
    *(r'a$', r'a\Z', r'^a$', r'\Aa\Z', r'\ba\b.*', r'a\B.*', r'\x61', r'\u0061', r'\U00000061', r'\.', r'\\', r'\q', r'\e', r'\0', r'a++', r'(?>a)', r'(a)\1', r'(?P<n>a)(?P=n)', r'(a)?(?(1)b|c)'),
    *(r'*a', r'a**', r'^*', r'(', r')', r'(((', r'(?P<1>a)', r'(?P<n>a)(?P<n>b)', r'(?<n>a)', r'a(?i)b', r'(?#note)a', r'(?#note', r'a(?=b)b', r'a(?!b)b?', r'(?=a)*a', r'(?<=a)b', r'a(?<=a)b', r'a(?<!b)b', r'(?=.*7)\w+'),
]


def random_pattern(draw: random.Random, depth: int = 0) -> str:
    kind = draw.randrange(9 if depth < 3 else 4)
    if kind < 4:
        return draw.choice(['a', 'b', '.', '[ab]', '[^a]', r'\w', '7', r'\b', '^', '$'])
    inner = random_pattern(draw, depth + 1)
    if kind == 4:
        return f'(?:{inner}|{random_pattern(draw, depth + 1)})'
    if kind == 5:
        return f'(?:{inner}){draw.choice(["*", "+", "?", "{2}", "{1,3}", "*?", "+?"])}'
    if kind == 6:
        return f'(?{draw.choice("=!")}{inner})'
    return inner + random_pattern(draw, depth + 1)


def row(pattern: str, texts: list[str]) -> dict:
    """`error` where Python refuses the pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            return {'pattern': pattern, 'error': str(error)}
    if pattern == r'(.*)*(.*)*(.*)*x':
        return {'pattern': pattern, 'matches': [i for i, text in enumerate(texts) if text.endswith('x')]}
    return {'pattern': pattern, 'matches': [i for i, text in enumerate(texts) if compiled.fullmatch(text)]}


if __name__ == '__main__':
    texts = NAMES + TEXTS
    draw = random.Random(0)
    patterns = PATTERNS + [random_pattern(draw) for _ in range(400)]
    rows = [row(pattern, texts) for pattern in dict.fromkeys(patterns)]
    lines = ',\n    '.join(json.dumps(one) for one in rows)
    OUT.write_text(f'{{\n  "texts": {json.dumps(texts)},\n  "patterns": [\n    {lines}\n  ]\n}}\n')
