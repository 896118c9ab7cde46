"""Makes fixtures/family-tokenizers: for each family a small tokenizer in the files that its checkpoints have, and what
transformers (or sentencepiece, for the classes that live beside their checkpoints) gives with it.

    python scripts/reference/make_family_tokenizers.py

The vocabularies are trained here on generated text; splits, normalisation, prefixes, fallbacks and special tokens are those of
each family.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')

import sentencepiece as spm
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

from make_tokenizers import TEXTS, copy_model, corpus

OUT = Path(__file__).resolve().parents[2] / 'fixtures' / 'family-tokenizers'

PLAIN = [text for text in TEXTS if '<' not in text]


def write(path: Path, value) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + '\n', encoding='utf-8')


def golden(folder: Path, tokenizer, chats: list[str], made_by: str = f'transformers {transformers.__version__}') -> None:
    """ids: without special tokens; whole: as a prompt is encoded; chats: with special tokens in the text."""
    cases = []
    for text in PLAIN:
        ids = tokenizer.encode(text, add_special_tokens=False)
        unknown = tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids
        cases.append({'text': text, 'ids': ids, 'whole': tokenizer.encode(text), 'decoded': None if unknown else tokenizer.decode(ids)})
    found = [{'text': text, 'ids': tokenizer.encode(text, add_special_tokens=False)} for text in chats]
    write(folder / 'golden.json', {'made_by': made_by, 'cases': cases, 'chats': found})


def byte_level(split: str | None, normalizer=None, size: int = 600) -> Tokenizer:
    """Byte-level BPE; GPT-2's own split when none is given."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    tokenizer.pre_tokenizer = (
        bytes_only if split is None else pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), 'isolated'), bytes_only])
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[]
    )
    tokenizer.train_from_iterator(corpus(7), trainer)
    return tokenizer


def save_vocab_and_merges(tokenizer: Tokenizer, folder: Path) -> None:
    model = json.loads(tokenizer.to_str())['model']
    write(folder / 'vocab.json', model['vocab'])
    merges = [pair if isinstance(pair, str) else ' '.join(pair) for pair in model['merges']]
    (folder / 'merges.txt').write_text('#version: 0.2\n' + '\n'.join(merges) + '\n', encoding='utf-8')


QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
CHATML = ['<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n', 'a<|endoftext|>b']


def qwen(folder: Path, plain_files: bool) -> None:
    tokenizer = byte_level(QWEN_SPLIT, normalizers.NFC())
    if plain_files:
        save_vocab_and_merges(tokenizer, folder)
    tokenizer.add_special_tokens(QWEN_SPECIALS)
    token = lambda text: {'content': text, 'lstrip': False, 'normalized': False, 'rstrip': False, 'single_word': False, 'special': True}
    write(folder / 'tokenizer_config.json', {
        'add_prefix_space': False,
        'added_tokens_decoder': {str(tokenizer.token_to_id(text)): token(text) for text in QWEN_SPECIALS},
        'bos_token': None,
        'eos_token': '<|im_end|>',
        'pad_token': '<|endoftext|>',
        'unk_token': None,
        'tokenizer_class': 'Qwen2Tokenizer',
    })
    if not plain_files:
        tokenizer.save(str(folder / 'tokenizer.json'))
    golden(folder, AutoTokenizer.from_pretrained(folder), CHATML)


def moss(folder: Path) -> None:
    tokenizer = byte_level(None)
    tokenizer.add_special_tokens(['<|endoftext|>'])
    base = json.loads(tokenizer.to_str())
    vocab = {**base['model']['vocab'], '<|endoftext|>': tokenizer.token_to_id('<|endoftext|>')}
    save_vocab_and_merges(tokenizer, folder)
    write(folder / 'vocab.json', vocab)
    added = ['<eom>', '<eoh>', '<eot>', '<eoc>', '<eor>', '<|Human|>', '<|MOSS|>']
    write(folder / 'added_tokens.json', {text: len(vocab) + i for i, text in enumerate(added)})
    write(folder / 'special_tokens_map.json', {'additional_special_tokens': added, 'bos_token': '<|endoftext|>', 'eos_token': '<eom>', 'unk_token': '<|endoftext|>'})
    write(folder / 'tokenizer_config.json', {'add_prefix_space': False, 'bos_token': '<|endoftext|>', 'eos_token': '<eom>', 'unk_token': '<|endoftext|>', 'tokenizer_class': 'MossTokenizer'})
    # The class lives beside the checkpoint: the same split, vocabulary and added tokens in transformers' own class.
    for i, text in enumerate(added):
        assert tokenizer.add_special_tokens([text]) == 1 and tokenizer.token_to_id(text) == len(vocab) + i
    reference = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)
    golden(folder, reference, ['<|Human|>: Hello<eoh>\n<|MOSS|>:', 'a<eom>b'])


def train_sentencepiece(folder: Path, **options) -> None:
    with tempfile.TemporaryDirectory() as work:
        text = Path(work) / 'corpus.txt'
        text.write_text('\n'.join(corpus(7)), encoding='utf-8')
        spm.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(Path(work) / 'm'), num_threads=1, minloglevel=2, model_type='bpe', vocab_size=600,
            byte_fallback=True, split_digits=True, normalization_rule_name='identity', remove_extra_whitespaces=False, **options,
        )
        copy_model(Path(work) / 'm.model', folder / 'tokenizer.model')


class Pieces:
    """sentencepiece with the bos that a class puts in front, in the form that `golden` reads."""

    def __init__(self, folder: Path, bos: bool):
        self.model = spm.SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
        self.bos = [self.model.bos_id()] if bos else []
        self.unk_token_id = self.model.unk_id()

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return (self.bos if add_special_tokens else []) + self.model.encode(text)

    def decode(self, ids: list[int]) -> str:
        return self.model.decode(ids)


def sentencepiece_family(folder: Path, name: str, bos: bool | None, **options) -> None:
    train_sentencepiece(folder, **options)
    named = {'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'tokenizer_class': name}
    write(folder / 'tokenizer_config.json', named if bos is None else {**named, 'add_bos_token': bos, 'add_eos_token': False})
    golden(folder, Pieces(folder, bos is not False), [], f'sentencepiece {spm.__version__}')


# Chats as Gemma and Phi-3 write them.
GEMMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI_CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def gemma(folder: Path) -> None:
    """BPE over whole lines: blanks become U+2581, nothing stands in front, unknown characters fall back to bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token='<unk>', fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(' ', '▁')
    tokenizer.pre_tokenizer = pre_tokenizers.Split(' ', 'merged_with_previous')
    tokenizer.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse()])
    specials = ['<pad>', '<eos>', '<bos>', '<unk>'] + [f'<0x{byte:02X}>' for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=specials, max_token_length=12)
    # Lines of two words: whole lines would become tokens.
    pairs = [' '.join(words[i : i + 2]) for words in map(str.split, corpus(7)) for i in range(0, len(words), 2)]
    tokenizer.train_from_iterator(pairs, trainer)
    model = json.loads(tokenizer.to_str())
    model['added_tokens'] = [token for token in model['added_tokens'] if not token['content'].startswith('<0x')]
    tokenizer = Tokenizer.from_str(json.dumps(model))
    tokenizer.add_special_tokens(['<start_of_turn>', '<end_of_turn>'])
    tokenizer.post_processor = processors.TemplateProcessing(
        single='<bos> $A', special_tokens=[('<bos>', tokenizer.token_to_id('<bos>'))]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    write(folder / 'tokenizer_config.json', {'add_bos_token': True, 'add_eos_token': False, 'bos_token': '<bos>', 'eos_token': '<eos>', 'pad_token': '<pad>', 'unk_token': '<unk>', 'clean_up_tokenization_spaces': False, 'tokenizer_class': 'GemmaTokenizer'})
    reference = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token='<unk>', bos_token='<bos>', eos_token='<eos>', clean_up_tokenization_spaces=False
    )
    (folder / 'chat_template.jinja').write_text(GEMMA_CHAT, encoding='utf-8')
    golden(folder, reference, ['<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n'])


def phi(folder: Path) -> None:
    """LLaMA's pieces as tokenizer.json, with role tokens that take the blanks behind them."""
    train_sentencepiece(folder)
    model = spm.SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
    (folder / 'tokenizer.model').unlink()
    vocab = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    merges = sorted(
        ((left, right) for piece in vocab for cut in range(1, len(piece))
         for left, right in [(piece[:cut], piece[cut:])] if left in vocab and right in vocab and vocab[piece] > 258),
        key=lambda pair: (vocab[pair[0] + pair[1]], vocab[pair[0]], vocab[pair[1]]),
    )
    tokenizer = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, unk_token='<unk>', fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    tokenizer.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    tokenizer.add_special_tokens(['<unk>', '<s>', '</s>'])
    roles = ['<|endoftext|>', '<|assistant|>', '<|system|>', '<|end|>', '<|user|>']
    tokenizer.add_special_tokens([AddedToken(text, rstrip=True, normalized=False, special=True) for text in roles])
    tokenizer.save(str(folder / 'tokenizer.json'))
    write(folder / 'tokenizer_config.json', {'add_bos_token': False, 'add_eos_token': False, 'bos_token': '<s>', 'eos_token': '<|endoftext|>', 'pad_token': '<|endoftext|>', 'unk_token': '<unk>', 'clean_up_tokenization_spaces': False, 'tokenizer_class': 'LlamaTokenizer', 'legacy': False})
    reference = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token='<unk>', clean_up_tokenization_spaces=False)
    (folder / 'chat_template.jinja').write_text(PHI_CHAT, encoding='utf-8')
    golden(folder, reference, ['<|user|>\nHello<|end|>\n<|assistant|>\n', '<|system|> \n be brief<|end|>'])


FAMILIES = {
    'qwen': lambda folder: qwen(folder, plain_files=False),
    'qwen-vocab': lambda folder: qwen(folder, plain_files=True),
    'moss': moss,
    'llama': lambda folder: sentencepiece_family(folder, 'LlamaTokenizer', None),
    'baichuan': lambda folder: sentencepiece_family(folder, 'BaichuanTokenizer', False, add_dummy_prefix=False),
    'internlm': lambda folder: sentencepiece_family(folder, 'InternLMTokenizer', True),
    'internlm2': lambda folder: sentencepiece_family(folder, 'InternLM2Tokenizer', None),
    'gemma': gemma,
    'phi': phi,
}

if __name__ == '__main__':
    shutil.rmtree(OUT, ignore_errors=True)
    for name, make in FAMILIES.items():
        (OUT / name).mkdir(parents=True)
        make(OUT / name)
