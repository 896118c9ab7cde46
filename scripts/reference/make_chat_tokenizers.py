"""Makes fixtures/chat: small tokenizers in the files of ChatGLM, GLM-4, InternLM, Baichuan and MOSS, with the ids that the
chats of those families put together.

    python scripts/reference/make_chat_tokenizers.py

The vocabularies are trained here on made-up sentences; ids come from sentencepiece, tiktoken and tokenizers, put together as
each family's own code does it.
"""

import base64
import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece as spm
import tiktoken
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from make_tokenizers import copy_model
from tiny_llama import FIXTURES

OUT = FIXTURES / 'chat'

SUBJECTS = ['the teacher', 'a small robot', 'my neighbour', 'the old river', 'this program']
VERBS = ['writes', 'counts', 'remembers', 'explains', 'carries']
OBJECTS = ['three numbers', 'a short story', 'the blue door', 'every question', '12 apples']
ZH = ['老师写了一个故事。', '机器人数了三个苹果。', '请解释这个问题。', '今天的天气很好。', '问：你好\n答：我们去公园散步。']
CODE = ['def f(x):\n    return x + 1\n', 'User: hi\nBot: hello\n', '{"city": "Beijing"}', '[Round 1]']

TEXTS = [
    '',
    'the teacher writes a short story',
    '老师写了三个苹果。',
    '\nline\n\nend\n',
    'tab\tand  two   three    four',
    ' ' * 83 + 'x' + ' ' * 80,
    'def f(x):\n        return x  # ok',
    '  both ends  ',
    'naïve 😀 café 𠮷',
    'a <n> b <|tab|> <|blank_3|>c',
    '[gMASK] sop <sop> <|user|> <eoh>',
    "don't, it's 12345",
]

ROUNDS = [('the teacher counts', '三个苹果。'), ('请解释\n  这个问题', 'a short story\nend')]
SYSTEM = 'the old river'
TOOLS = [{'name': 'weather', 'description': '今天的天气', 'parameters': {'city': {'type': 'string'}, 'days': []}}]
FIRST_BLANK, LAST_BLANK = 2, 80


def corpus(seed):
    rng = random.Random(seed)
    lines = [f'{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}.' for _ in range(500)]
    lines += [rng.choice(ZH) for _ in range(200)] + [rng.choice(CODE) for _ in range(100)]
    rng.shuffle(lines)
    return [part for line in lines for part in line.split('\n') if part]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')


def train(path, **options):
    with tempfile.TemporaryDirectory() as work:
        text = f'{work}/corpus.txt'
        with open(text, 'w', encoding='utf-8') as file:
            file.write('\n'.join(corpus(7)))
        spm.SentencePieceTrainer.train(
            input=text,
            model_prefix=f'{work}/m',
            num_threads=1,
            minloglevel=2,
            byte_fallback=True,
            hard_vocab_limit=False,
            normalization_rule_name='identity',
            **options,
        )
        copy_model(Path(work) / 'm.model', path)
    return spm.SentencePieceProcessor(model_file=str(path))


def fresh(name, config):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if config is not None:
        write(folder / 'tokenizer_config.json', config)
    return folder


def first_version(name, shift, **options):
    """ChatGLM-6B: spelled blanks, ids behind those of images, [gMASK] <sop> behind the prompt."""
    config = {'tokenizer_class': 'ChatGLMTokenizer', 'bos_token': '<sop>', 'eos_token': '<eop>', 'end_token': '</s>'}
    config |= {'gmask_token': '[gMASK]', 'mask_token': '[MASK]', 'pad_token': '<pad>', 'unk_token': '<unk>'}
    folder = fresh(name, {**config, 'num_image_tokens': shift})
    sp = train(
        folder / 'ice_text.model',
        pad_id=3,
        control_symbols='[MASK],[gMASK],[sMASK],<unused_0>,<sop>,<eop>,<ENC>,<dBLOCK>'.split(','),
        user_defined_symbols=['<n>', '<|tab|>', *(f'<|blank_{i}|>' for i in range(FIRST_BLANK, LAST_BLANK + 1))],
        **options,
    )

    def encode(text):
        text = text.replace('\n', '<n>').replace('\t', '<|tab|>')
        for size in range(LAST_BLANK, FIRST_BLANK - 1, -1):
            text = text.replace(' ' * size, f'<|blank_{size}|>')
        return [i + shift for i in sp.encode(text)]

    def decode(ids):
        text = sp.decode([i - shift for i in ids]).replace('<n>', '\n').replace('<|tab|>', '\t')
        for size in range(FIRST_BLANK, LAST_BLANK + 1):
            text = text.replace(f'<|blank_{size}|>', ' ' * size)
        return text

    gmask, sop, eop = (sp.piece_to_id(piece) + shift for piece in ('[gMASK]', '<sop>', '<eop>'))
    (q1, a1), (q2, a2) = ROUNDS
    history = f'[Round 0]\n问：{q1}\n答：{a1}\n[Round 1]\n问：{q2}\n答：'
    write(
        folder / 'golden.json',
        {
            'made_by': f'sentencepiece {spm.__version__}',
            'cases': [{'text': t, 'ids': encode(t), 'decoded': decode(encode(t))} for t in TEXTS],
            'frame': {'before': [], 'after': [gmask, sop]},
            'chats': [
                {'rounds': ROUNDS[:1], 'prompt': [*encode(q1), gmask, sop], 'answer': [*encode(a1), eop]},
                {'rounds': ROUNDS, 'prompt': [*encode(history), gmask, sop], 'answer': [*encode(a2), eop]},
            ],
        },
    )


def later_version(name, has_roles):
    """ChatGLM2 and ChatGLM3: special ids behind the pieces, [gMASK] sop before the text."""
    folder = fresh(name, {'tokenizer_class': 'ChatGLMTokenizer', 'name_or_path': f'THUDM/{name}-6b'})
    sp = train(folder / 'tokenizer.model', model_type='bpe', vocab_size=520, remove_extra_whitespaces=False)
    names = ['[MASK]', '[gMASK]', '[sMASK]', 'sop', 'eop']
    if has_roles:
        names += ['<|system|>', '<|user|>', '<|assistant|>', '<|observation|>']
    special = {text: sp.vocab_size() + i for i, text in enumerate(names)}
    start = [special['[gMASK]'], special['sop']]
    chats = []
    if has_roles:

        def message(role, text, metadata=''):
            return [special[f'<|{role}|>'], *sp.encode(f'{metadata}\n'), *sp.encode(text)]

        ids = [*start, *message('system', SYSTEM)]
        for question, answer in ROUNDS[:-1]:
            ids += message('user', question) + message('assistant', answer)
        question, answer = ROUNDS[-1]
        ids += message('user', question)
        prompt = [*ids, special['<|assistant|>']]
        chats.append(
            {'system': SYSTEM, 'rounds': ROUNDS, 'prompt': prompt, 'answer': [*message('assistant', answer)[1:], sp.eos_id()]}
        )
        system = f'{SYSTEM}\n{json.dumps(TOOLS, indent=4, ensure_ascii=False)}'
        call = "```python\ntool_call(city='Beijing', days=2, exact=True)\n```"
        ids = [*start, *message('system', system), *message('user', '今天的天气'), *message('assistant', call, 'weather')]
        ids += [*message('observation', '{"sky": "blue"}'), special['<|assistant|>']]
        chats.append({'system': SYSTEM, 'tools': TOOLS, 'prompt': ids})
    else:
        text = '\n\n'.join(f'[Round {i + 1}]\n\n问：{q}\n\n答：{a}' for i, (q, a) in enumerate(ROUNDS[:-1]))
        question, answer = ROUNDS[-1]
        prompt = f'{text}\n\n[Round {len(ROUNDS)}]\n\n问：{question}\n\n答：'
        ids, whole = sp.encode(prompt), sp.encode(prompt + answer)
        assert whole[: len(ids)] == ids
        chats.append({'rounds': ROUNDS, 'prompt': [*start, *ids], 'answer': [*whole[len(ids) :], sp.eos_id()]})
    write(
        folder / 'golden.json',
        {
            'made_by': f'sentencepiece {spm.__version__}',
            'cases': [{'text': t, 'ids': sp.encode(t), 'decoded': sp.decode(sp.encode(t))} for t in TEXTS],
            'special': special,
            'frame': {'before': start, 'after': []},
            'chats': chats,
        },
    )


GLM4_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GLM4_SPECIALS = ['<|endoftext|>', '[MASK]', '[gMASK]', '[sMASK]', '<sop>', '<eop>', '<|system|>', '<|user|>']
GLM4_SPECIALS += ['<|assistant|>', '<|observation|>', '<|begin_of_image|>', '<|end_of_image|>', '<|begin_of_video|>']
GLM4_SPECIALS += ['<|end_of_video|>']


def byte_bpe(size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(corpus(7), trainer)
    return tokenizer


def glm4():
    folder = fresh('glm4', None)
    model = json.loads(byte_bpe(600).to_str())['model']
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    bytes_of = {chr(b): b for b in printable}
    bytes_of |= {chr(0x100 + i): b for i, b in enumerate(b for b in range(256) if b not in printable)}
    # Ranks: the bytes, then what the merges give, in their order.
    ranks = {bytes([b]): b for b in range(256)}
    for left, right in model['merges']:
        token = bytes(bytes_of[c] for c in left + right)
        ranks.setdefault(token, len(ranks))
    with open(folder / 'tokenizer.model', 'w') as file:
        file.writelines(f'{base64.b64encode(token).decode()} {rank}\n' for token, rank in ranks.items())
    special = {text: len(ranks) + i for i, text in enumerate(GLM4_SPECIALS)}
    decoder = {str(i): {'content': text, 'special': True} for text, i in special.items()}
    write(
        folder / 'tokenizer_config.json',
        {'tokenizer_class': 'ChatGLM4Tokenizer', 'eos_token': '<|endoftext|>', 'pad_token': '<|endoftext|>'}
        | {'added_tokens_decoder': decoder, 'additional_special_tokens': GLM4_SPECIALS},
    )
    tiktokens = tiktoken.Encoding('glm4', pat_str=GLM4_SPLIT, mergeable_ranks=ranks, special_tokens={})
    encode = tiktokens.encode_ordinary
    start = [special['[gMASK]'], special['<sop>']]

    def chat(role, text):
        """The text of the checkpoint's chat template: what stands between special tokens is one text."""
        return [special[f'<|{role}|>'], *encode(f'\n{text}')]

    ids = [*start, *chat('system', SYSTEM)]
    for question, answer in ROUNDS[:-1]:
        ids += chat('user', question) + chat('assistant', answer)
    question, answer = ROUNDS[-1]
    prompt = [*ids, *chat('user', question), special['<|assistant|>']]
    chats = [
        {'system': SYSTEM, 'rounds': ROUNDS, 'prompt': prompt, 'answer': [*chat('assistant', answer)[1:], special['<|endoftext|>']]}
    ]
    write(
        folder / 'golden.json',
        {
            'made_by': f'tiktoken {tiktoken.__version__}',
            'cases': [{'text': t, 'ids': encode(t), 'decoded': tiktokens.decode(encode(t))} for t in TEXTS],
            'special': special,
            'frame': {'before': start, 'after': []},
            'chats': chats,
        },
    )


def glm4_hf():
    """The same family as transformers has it: tokenizer.json, whose post-processor puts [gMASK] <sop> in front."""
    folder = fresh('glm4-hf', None)
    tokenizer = byte_bpe(600)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(GLM4_SPLIT), 'isolated'), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in GLM4_SPECIALS])
    special = {text: tokenizer.token_to_id(text) for text in GLM4_SPECIALS}
    start = [special['[gMASK]'], special['<sop>']]
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single='[gMASK] <sop> $A',
                pair='[gMASK] <sop> $A $B:1',
                special_tokens=[(text, special[text]) for text in ('[gMASK]', '<sop>')],
            ),
        ]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    decoder = {str(i): {'content': text, 'special': True} for text, i in special.items()}
    write(
        folder / 'tokenizer_config.json',
        {'tokenizer_class': 'PreTrainedTokenizerFast', 'eos_token': '<|endoftext|>', 'pad_token': '<|endoftext|>'}
        | {'added_tokens_decoder': decoder, 'additional_special_tokens': GLM4_SPECIALS},
    )
    prompt = f'<|system|>\n{SYSTEM}'
    for question, answer in ROUNDS[:-1]:
        prompt += f'<|user|>\n{question}<|assistant|>\n{answer}'
    question, answer = ROUNDS[-1]
    prompt = tokenizer.encode(f'{prompt}<|user|>\n{question}<|assistant|>').ids
    assert prompt[:2] == start
    answer = tokenizer.encode(f'\n{answer}<|endoftext|>', add_special_tokens=False).ids
    # Texts hold no special tokens, chats do.
    tokenizer.encode_special_tokens = True
    cases = [{'text': t, 'ids': tokenizer.encode(t, add_special_tokens=False).ids} for t in TEXTS]
    write(
        folder / 'golden.json',
        {
            'made_by': f'tokenizers {tokenizers.__version__}',
            'cases': [{**case, 'decoded': tokenizer.decode(case['ids'])} for case in cases],
            'special': special,
            'frame': {'before': start, 'after': []},
            'chats': [{'system': SYSTEM, 'rounds': ROUNDS, 'prompt': prompt, 'answer': answer}],
        },
    )


def internlm():
    folder = fresh('internlm', {'tokenizer_class': 'InternLMTokenizer', 'bos_token': '<s>', 'eos_token': '</s>'})
    sp = train(
        folder / 'tokenizer.model',
        model_type='bpe',
        vocab_size=520,
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        user_defined_symbols=['<eoh>', '<eoa>'],
    )
    encode = sp.encode
    (q1, a1), (q2, a2) = ROUNDS
    prompt = [1, *encode(f'<|User|>:{q1}<eoh>\n<|Bot|>:{a1}<eoa>\n<|User|>:{q2}<eoh>\n<|Bot|>:')]
    answer = [*encode(f'{a2}<eoa>')]
    system = [1, *encode(f'<|System|>:{SYSTEM}\n<|User|>:{q1}<eoh>\n<|Bot|>:')]
    write(
        folder / 'golden.json',
        {
            'made_by': f'sentencepiece {spm.__version__}',
            'special': {text: sp.piece_to_id(text) for text in ('<eoh>', '<eoa>')},
            'chats': [
                {'rounds': ROUNDS, 'prompt': prompt, 'answer': answer},
                {'system': SYSTEM, 'rounds': ROUNDS[:1], 'prompt': system, 'answer': encode(f'{a1}<eoa>')},
            ],
        },
    )


def internlm2():
    folder = fresh('internlm2', None)
    sp = train(folder / 'tokenizer.model', model_type='bpe', vocab_size=520, remove_extra_whitespaces=False, add_dummy_prefix=False)
    special = {text: sp.vocab_size() + i for i, text in enumerate(['<|im_end|>', '<|im_start|>'])}
    write(
        folder / 'tokenizer_config.json',
        {'tokenizer_class': 'InternLM2Tokenizer', 'bos_token': '<s>', 'eos_token': '</s>'}
        | {'added_tokens_decoder': {str(i): {'content': text, 'special': True} for text, i in special.items()}},
    )
    start, end, newline = special['<|im_start|>'], special['<|im_end|>'], sp.encode('\n')

    def message(role, text):
        return [start, *sp.encode(f'{role}\n{text}'), end, *newline]

    ids = [1, *message('system', SYSTEM)]
    for question, answer in ROUNDS[:-1]:
        ids += message('user', question) + message('assistant', answer)
    question, answer = ROUNDS[-1]
    ids += [*message('user', question), start, *sp.encode('assistant\n')]
    chat = {'system': SYSTEM, 'rounds': ROUNDS, 'prompt': ids, 'answer': [*sp.encode(answer), end]}
    write(folder / 'golden.json', {'made_by': f'sentencepiece {spm.__version__}', 'special': special, 'chats': [chat]})


def baichuan(name, numbers):
    folder = fresh(name, {'tokenizer_class': 'BaichuanTokenizer', 'add_bos_token': False, 'add_eos_token': False})
    user, assistant = (f'<reserved_{n}>' for n in numbers)
    sp = train(
        folder / 'tokenizer.model',
        model_type='bpe',
        vocab_size=520,
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        user_defined_symbols=[user, assistant],
    )
    user, assistant = sp.piece_to_id(user), sp.piece_to_id(assistant)
    write(folder / 'generation_config.json', {'user_token_id': user, 'assistant_token_id': assistant, 'eos_token_id': 2})
    ids = sp.encode(SYSTEM)
    for question, answer in ROUNDS[:-1]:
        ids += [user, *sp.encode(question), assistant, *sp.encode(answer), 2]
    question, answer = ROUNDS[-1]
    ids += [user, *sp.encode(question), assistant]
    chat = {'system': SYSTEM, 'rounds': ROUNDS, 'prompt': ids, 'answer': [*sp.encode(answer), 2]}
    write(folder / 'golden.json', {'made_by': f'sentencepiece {spm.__version__}', 'chats': [chat]})


def moss():
    folder = fresh('moss', {'tokenizer_class': 'MossTokenizer', 'eos_token': '<|endoftext|>', 'bos_token': '<|endoftext|>'})
    tokenizer = byte_bpe(600)
    tokenizer.model.save(str(folder))
    (folder / 'special_tokens_map.json').unlink(missing_ok=True)
    names = ['<|endoftext|>', '<eoc>', '<eoh>', '<eom>', '<eor>', '<eot>']
    size = tokenizer.get_vocab_size()
    special = {text: size + i for i, text in enumerate(names)}
    write(folder / 'added_tokens.json', special)
    write(
        folder / 'special_tokens_map.json',
        {'bos_token': '<|endoftext|>', 'eos_token': '<|endoftext|>', 'additional_special_tokens': names[1:]},
    )
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in names])

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    meta = 'You are an AI assistant.\n'
    (q1, a1), (q2, a2) = ROUNDS
    prompt = f'{meta}<|Human|>: {q1}<eoh>\n<|MOSS|>: {a1}<eom>\n<|Human|>: {q2}<eoh>\n<|MOSS|>:'
    plugin = (
        f'{meta}<|Human|>: {q1}<eoh>\n<|Inner Thoughts|>: count<eot>\n<|Commands|>: Calculate("1+2")<eoc>\n'
        f'<|Results|>:\nCalculate("1+2") => 3\n<eor>\n<|MOSS|>:'
    )
    write(
        folder / 'golden.json',
        {
            'made_by': 'tokenizers',
            'special': special,
            'chats': [
                {'system': meta, 'rounds': ROUNDS, 'prompt': encode(prompt), 'answer': encode(f' {a2}<eom>')},
                {'system': meta, 'plugin': True, 'prompt': encode(plugin)},
            ],
        },
    )


if __name__ == '__main__':
    first_version('chatglm1', 0, model_type='unigram', vocab_size=620, remove_extra_whitespaces=False)
    first_version('chatglm1-images', 20000, model_type='bpe', vocab_size=640)
    later_version('chatglm2', False)
    later_version('chatglm3', True)
    glm4()
    glm4_hf()
    internlm()
    internlm2()
    baichuan('baichuan', (102, 103))
    baichuan('baichuan2', (106, 107))
    moss()
