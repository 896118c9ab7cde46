"""Writes fixtures/eval/texts.json: scores of texts by rouge_score, sacrebleu, torchmetrics and lm_eval, for the metrics of @ift/eval.

    python scripts/reference/make_text_scores.py
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

import regex
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from torchmetrics.functional.text import squad

rng = random.Random(32)
WORDS = (
    'the a cat Cats sat on mat, mat. "quoted" 3.14 1,000 $5 50% e-mail it\'s U.S. café naïve (see 2-3) -- & &amp; '
    '<skipped> x=1 [1] end! why? well-known; 1990s 10-K A/B @home #1 …'
).split(' ')
HAN = '今天天气很好我们去公园散步，然后吃了三碗面。小明说：“不行！”于是（大家）都笑了；２０２３年GPT-4发布、约50％的人'


def english():
    return ' '.join(rng.choices(WORDS, k=rng.randint(1, 18)))


def chinese():
    at = rng.randrange(len(HAN) - 20)
    text = list(HAN[at : at + rng.randint(4, 20)])
    for _ in range(rng.randint(0, 4)):
        text[rng.randrange(len(text))] = rng.choice(HAN)
    return ''.join(text)


def changed(text, chinese_text):
    parts = list(text) if chinese_text else text.split(' ')
    for _ in range(rng.randint(0, 3)):
        parts[rng.randrange(len(parts))] = rng.choice(HAN if chinese_text else WORDS)
    if rng.random() < 0.3:
        parts = parts[: max(1, len(parts) // 2)]
    return ('' if chinese_text else ' ').join(parts)


pairs = []
for maker, is_chinese in ((english, False), (chinese, True)):
    for _ in range(30):
        reference = maker()
        others = [changed(reference, is_chinese)] if rng.random() < 0.4 else []
        pairs.append({'answer': changed(reference, is_chinese), 'references': [reference, *others]})
pairs += [
    {'answer': '', 'references': ['The cat.']},
    {'answer': 'the cat', 'references': ['']},
    {'answer': '...', 'references': ['!!!']},
    {'answer': 'same words here', 'references': ['same words here']},
    {'answer': 'A cat\nsat on the mat-\nress', 'references': ['The cat sat on the mattress.']},
    {'answer': '中文 and English 混合 text 2024', 'references': ['中文和 English 混合 texts 2024']},
    {'answer': '𠀀𠀁 丂 — “引号”…', 'references': ['𠀀𠀁丂——"引号"...']},
    {'answer': 'ひらがなとカタカナ', 'references': ['ひらがな、カタカナ']},
    {'answer': 'tab\tand\u00a0no-break\u3000wide\x1fsep', 'references': ['tab and no-break wide sep']},
]


class Characters:
    """Words of a-z and digits, and each character of Chinese and Japanese."""

    def tokenize(self, text):
        return regex.findall(r'[a-z0-9]+|[\p{Han}\p{Hiragana}\p{Katakana}]', text.lower())


TYPES = ['rouge1', 'rouge2', 'rougeL']
default, characters = RougeScorer(TYPES), RougeScorer(TYPES, tokenizer=Characters())
for pair in pairs:
    plain = not regex.search(r'[\p{Han}\p{Hiragana}\p{Katakana}]', pair['answer'] + ''.join(pair['references']))
    # On texts without Chinese, the words are those of rouge_score itself.
    scores = (default if plain else characters).score_multi(pair['references'], pair['answer'])
    pair['rouge'] = {name: [score.precision, score.recall, score.fmeasure] for name, score in scores.items()}
    pair['sentenceBleu'] = {
        tokenizer: BLEU(tokenize=tokenizer, effective_order=True)
        .sentence_score(pair['answer'], pair['references'])
        .score
        for tokenizer in ('13a', 'zh', 'char')
    }
    spaced = [
        regex.sub(r'([\p{Han}\p{Hiragana}\p{Katakana}])', r' \1 ', regex.sub(r'[\u3001-\u303f\uff01-\uff0f\uff1a-\uff20]', '', text))
        for text in (pair['answer'], pair['references'][0])
    ]
    pair['f1'] = (
        squad([{'prediction_text': spaced[0], 'id': '0'}], [{'answers': {'text': [spaced[1]], 'answer_start': [0]}, 'id': '0'}])[
            'f1'
        ].item()
        / 100
    )

corpora = []
for chosen in (pairs[:30], pairs[30:60], pairs):
    most = max(len(pair['references']) for pair in chosen)
    streams = [[pair['references'][min(i, len(pair['references']) - 1)] for pair in chosen] for i in range(most)]
    for tokenizer in ('13a', 'zh', 'char', 'none'):
        for lowercase in (False, True):
            found = BLEU(tokenize=tokenizer, lowercase=lowercase).corpus_score([pair['answer'] for pair in chosen], streams)
            corpora.append(
                {
                    'from': pairs.index(chosen[0]),
                    'to': pairs.index(chosen[-1]) + 1,
                    'tokenizer': tokenizer,
                    'lowercase': lowercase,
                    'score': found.score,
                    'precisions': found.precisions,
                    'brevityPenalty': found.bp,
                    'answerLength': found.sys_len,
                    'referenceLength': found.ref_len,
                }
            )

OPTIONS = [
    {},
    {'ignore_case': True},
    {'ignore_punctuation': True},
    {'ignore_numbers': True},
    {'ignore_case': True, 'ignore_punctuation': True, 'ignore_numbers': True},
    {'regexes_to_ignore': [',', r'\$', r'[\s\S]*#### ', r'\.$'], 'ignore_case': True},
]
MATCHES = [
    ('72', '72'),
    ('1,000.', '$1000'),
    ('Yes', 'yes.'),
    ('a1b2', 'ab'),
    ('so 3 + 4 = 7\n#### 7', '7'),
    ('七', '七。'),
    ('１２', '12'),
    ('', '[invalid]'),
    ('X-Ray 5', 'xray'),
]
exact = [
    {
        'answer': answer,
        'reference': reference,
        'scores': [
            int(exact_match_hf_evaluate(predictions=[answer], references=[reference], **options)['exact_match'])
            for options in OPTIONS
        ],
    }
    for answer, reference in MATCHES
]

ANSWERS = [
    'Natalia sold 48/2 = 24 clips.\n#### 72',
    '#### -1,234.50 and #### 9',
    'The answer is 18.',
    'It costs $1,200.00, so 3 times is $3,600.',
    'none at all',
    '5',
    '-7 and then -8.5.',
    '.. , $',
    'She has 3 apples and 4. pears',
    '####72',
    '#### seventy',
]
numbers = []
for answer in ANSWERS:
    strict = RegexFilter(r'#### (\-?[0-9\.\,]+)').apply([[answer]], [{}])[0][0]
    flexible = RegexFilter('(-?[$0-9.,]{2,})|(-?[0-9]+)', group_select=-1).apply([[answer]], [{}])[0][0]
    numbers.append({'answer': answer, 'strict': strict, 'flexible': flexible})

names = ('rouge-score', 'sacrebleu', 'torchmetrics', 'lm_eval')
fixture = {
    'madeBy': 'scripts/reference/make_text_scores.py, ' + ', '.join(f'{name} {version(name)}' for name in names),
    'pairs': pairs,
    'corpora': corpora,
    'exact': exact,
    'numbers': numbers,
}
out = Path(__file__).parents[2] / 'fixtures' / 'eval' / 'texts.json'
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps(fixture, ensure_ascii=False, separators=(',', ':')) + '\n', encoding='utf-8')
print(out, out.stat().st_size, 'bytes')
