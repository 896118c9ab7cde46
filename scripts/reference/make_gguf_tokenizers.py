"""Makes fixtures/gguf-tokenizers: the tokenizers of fixtures/family-tokenizers and fixtures/chat as GGUF files without tensors.

    python scripts/reference/make_gguf_tokenizers.py

Pieces, scores, types and flags are those that llama.cpp's converter writes of these files (its methods set_vocab in conversion/), and
add_space_prefix, which it writes for some of them only. What the tokenizers give is in golden.json beside the originals.
"""

import json
from pathlib import Path

import gguf
import sentencepiece
from gguf import TokenType as T
from sentencepiece import sentencepiece_model_pb2

from tiny_llama import FIXTURES

OUT = FIXTURES / 'gguf-tokenizers'
# Folder, architecture, tokenizer.ggml.pre
SENTENCE_PIECE = {
    'llama': ('family-tokenizers/llama', 'llama', 'default'),
    'baichuan': ('family-tokenizers/baichuan', 'baichuan', 'default'),
    'baichuan2': ('chat/baichuan2', 'baichuan', 'default'),
    'internlm2': ('family-tokenizers/internlm2', 'internlm2', 'default'),
    'internlm2-chat': ('chat/internlm2', 'internlm2', 'default'),
    'chatglm3': ('chat/chatglm3', 'chatglm', 'chatglm-spm'),
}
BYTE_LEVEL = {
    'qwen': ('family-tokenizers/qwen', 'qwen2', 'qwen2'),
    'glm4': ('chat/glm4-hf', 'glm4', 'glm4'),
}
# Phi-3 has its tokens for chats in added_tokens.json and tokenizer_config.json.
PHI = 'phi3'


def start(name: str, arch: str, config: dict, pre: str, model: str) -> gguf.GGUFWriter:
    OUT.mkdir(exist_ok=True)
    writer = gguf.GGUFWriter(OUT / f'{name}.gguf', arch)
    writer.add_context_length(2048)
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    for key in ('add_bos_token', 'add_eos_token'):
        if isinstance(config.get(key), bool):
            writer.add_bool(f'tokenizer.ggml.{key}', config[key])
    if isinstance(config.get('chat_template'), str):
        writer.add_chat_template(config['chat_template'])
    return writer


def finish(writer: gguf.GGUFWriter, tokens: list[str], types: list[int], ids: dict[str, int | None]) -> None:
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for name, id in ids.items():
        if id is not None and id >= 0:
            writer.add_uint32(f'tokenizer.ggml.{name}_token_id', id)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_config(folder: Path) -> dict:
    path = folder / 'tokenizer_config.json'
    return json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}


def sentence_piece(name: str, folder: Path, arch: str, pre: str) -> None:
    config = read_config(folder)
    model = sentencepiece.SentencePieceProcessor(str(folder / 'tokenizer.model'))
    tokens, scores, types = [], [], []
    for id in range(model.vocab_size()):
        piece = model.id_to_piece(id)
        kind = (
            T.UNKNOWN if model.is_unknown(id) else T.CONTROL if model.is_control(id) else T.UNUSED if model.is_unused(id)
            else T.BYTE if model.is_byte(id) else T.NORMAL
        )  # fmt: skip
        if arch == 'internlm2':
            piece = '🐉' if piece == '\0' else piece
            kind = T.UNUSED if piece.startswith('[UNUSED') else kind
        tokens.append(piece)
        scores.append(model.get_score(id))
        types.append(kind)
    if pre == 'chatglm-spm':
        tokens[:3] = ['<unk>', '<bos>', '<eos>']
        added = ['[MASK]', '[gMASK]', '[sMASK]', 'sop', 'eop', '<|system|>', '<|user|>', '<|assistant|>', '<|observation|>']
        added += [None] * 3
        for text in added:
            tokens.append(text or f'[PAD{len(tokens)}]')
            scores.append(0.0)
            types.append(T.CONTROL if text else T.UNUSED)
    for id, token in sorted((int(id), token) for id, token in config.get('added_tokens_decoder', {}).items()):
        while len(tokens) <= id:
            tokens.append(f'[PAD{len(tokens)}]'), scores.append(-10000.0), types.append(T.UNUSED)
        tokens[id], scores[id], types[id] = token['content'], -1000.0, T.CONTROL if token.get('special') else T.USER_DEFINED
    writer = start(name, arch, config, pre, 'llama')
    writer.add_token_scores(scores)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((folder / 'tokenizer.model').read_bytes())
    writer.add_add_space_prefix(proto.normalizer_spec.add_dummy_prefix)
    end = tokens.index('<|im_end|>') if '<|im_end|>' in tokens else model.eos_id()
    finish(writer, tokens, types, {'bos': model.bos_id(), 'eos': end, 'unknown': model.unk_id()})


def byte_level(name: str, folder: Path, arch: str, pre: str) -> None:
    config = read_config(folder)
    file = json.loads((folder / 'tokenizer.json').read_text(encoding='utf-8'))
    vocab = {**file['model']['vocab'], **{token['content']: token['id'] for token in file['added_tokens']}}
    special = {token['id']: token['special'] for token in file['added_tokens']}
    by_id = {id: text for text, id in vocab.items()}
    tokens = [by_id.get(id, f'[PAD{id}]') for id in range(max(by_id) + 1)]
    types = [
        T.UNUSED if id not in by_id else T.NORMAL if id not in special else T.CONTROL if special[id] else T.USER_DEFINED
        for id in range(len(tokens))
    ]  # fmt: skip
    writer = start(name, arch, config, pre, 'gpt2')
    merges = [merge if isinstance(merge, str) else ' '.join(merge) for merge in file['model']['merges']]
    writer.add_token_merges(merges)
    eos = config.get('eos_token')
    end = vocab[eos] if isinstance(eos, str) else vocab.get('<|endoftext|>')
    finish(writer, tokens, types, {'eos': end, 'eot': vocab.get('<|user|>')})


def phi() -> None:
    """Scores of the pieces that tokenizer.json merges, the later the lower, as SentencePiece numbers them."""
    folder = FIXTURES / 'family-tokenizers' / 'phi'
    config = read_config(folder)
    file = json.loads((folder / 'tokenizer.json').read_text(encoding='utf-8'))
    vocab = file['model']['vocab']
    tokens = [text for text, _ in sorted(vocab.items(), key=lambda item: item[1])]
    merges = [merge if isinstance(merge, str) else ' '.join(merge) for merge in file['model']['merges']]
    rank = {}
    for i, merge in enumerate(merges):
        rank.setdefault(merge.replace(' ', ''), i)
    scores = [-float(rank.get(text, len(merges) + id)) for id, text in enumerate(tokens)]
    byte = lambda text: len(text) == 6 and text.startswith('<0x') and text.endswith('>')
    types = [T.BYTE if byte(text) else T.NORMAL for text in tokens]
    for token in file['added_tokens']:
        while len(tokens) <= token['id']:
            tokens.append(f'[PAD{len(tokens)}]'), scores.append(-10000.0), types.append(T.UNUSED)
        tokens[token['id']], scores[token['id']] = token['content'], -1000.0
        types[token['id']] = T.CONTROL if token['special'] else T.USER_DEFINED
    types[tokens.index('<unk>')] = T.UNKNOWN
    writer = start(PHI, 'phi3', config, 'default', 'llama')
    writer.add_token_scores(scores)
    finish(writer, tokens, types, {'bos': tokens.index('<s>'), 'eos': tokens.index('<|endoftext|>'), 'unknown': tokens.index('<unk>')})


if __name__ == '__main__':
    for name, (folder, arch, pre) in SENTENCE_PIECE.items():
        sentence_piece(name, FIXTURES / folder, arch, pre)
    for name, (folder, arch, pre) in BYTE_LEVEL.items():
        byte_level(name, FIXTURES / folder, arch, pre)
    phi()
