"""Makes fixtures/checkpoint/gguf-qwen2 and gguf-qwen3: tiny Qwen models as GGUF, read back by transformers.

    python scripts/reference/make_gguf_qwen.py

Unlike those of a LLaMA, the rows of q and k keep their order. model.safetensors: what the file holds after dequantising, under checkpoint
names; transformers' GGUF reader gives exactly these.
"""

import sys

import gguf
import torch
from gguf import GGMLQuantizationType as Q
from transformers import AutoConfig, AutoModelForCausalLM

from make_gguf import GLOBAL, LAYER
from tiny_llama import FIXTURES, golden, random_sequences, randomise, write_json, write_tensors

LAYERS = 2
SMALL = {
    'vocab_size': 48,
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': LAYERS,
    'num_attention_heads': 2,
    'num_key_value_heads': 1,
    'hidden_act': 'silu',
    'max_position_embeddings': 64,
    'rms_norm_eps': 1e-6,
    'rope_theta': 1000000.0,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
}

VARIANTS = {
    'qwen2': {'architectures': ['Qwen2ForCausalLM'], 'model_type': 'qwen2', 'tie_word_embeddings': False},
    'qwen3': {'architectures': ['Qwen3ForCausalLM'], 'model_type': 'qwen3', 'tie_word_embeddings': True, 'head_dim': 32},
}


def tensor_table(names: set[str]) -> dict[str, tuple[str, Q]]:
    table = {f'{name}.weight': (f'{source}.weight', kind) for name, (source, kind) in GLOBAL.items()}
    norms = {'attn_q_norm': ('self_attn.q_norm', [Q.F32] * 2), 'attn_k_norm': ('self_attn.k_norm', [Q.F32] * 2)}
    for layer in range(LAYERS):
        for name, (source, kinds) in {**LAYER, **norms}.items():
            table[f'blk.{layer}.{name}.weight'] = (f'model.layers.{layer}.{source}.weight', kinds[layer])
            table[f'blk.{layer}.{name}.bias'] = (f'model.layers.{layer}.{source}.bias', Q.F32)
    return {name: (source, kind) for name, (source, kind) in table.items() if source in names}


def add_metadata(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_name(f'tiny {config["model_type"]}')
    writer.add_context_length(config['max_position_embeddings'])
    writer.add_embedding_length(config['hidden_size'])
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(config['intermediate_size'])
    writer.add_head_count(config['num_attention_heads'])
    writer.add_head_count_kv(config['num_key_value_heads'])
    writer.add_rope_freq_base(config['rope_theta'])
    writer.add_layer_norm_rms_eps(config['rms_norm_eps'])
    if 'head_dim' in config:
        writer.add_key_length(config['head_dim'])
        writer.add_value_length(config['head_dim'])
    pieces = [f'<|{i}|>' for i in range(config['vocab_size'])]
    writer.add_tokenizer_model('gpt2')
    writer.add_tokenizer_pre('qwen2')
    writer.add_token_list(pieces)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(pieces))
    writer.add_token_merges([])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def make(index: int, name: str, changes: dict) -> None:
    out = FIXTURES / 'checkpoint' / f'gguf-{name}'
    config = {**SMALL, **changes}
    write_json(out / 'config.json', config)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(out))
    randomise(model, 700 + index)
    weights = {key: p.detach().numpy() for key, p in model.named_parameters()}
    writer = gguf.GGUFWriter(out / 'tiny.gguf', config['model_type'])
    add_metadata(writer, config)
    expected = {}
    for place, (source, kind) in tensor_table(set(weights)).items():
        data = gguf.quants.quantize(weights[source], kind)
        writer.add_tensor(place, data, raw_dtype=kind)
        expected[source] = torch.from_numpy(gguf.quants.dequantize(data, kind).reshape(weights[source].shape))
    assert set(expected) == set(weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    write_tensors(out / 'model.safetensors', expected)
    reference = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation='eager').eval()
    with torch.no_grad():
        write_tensors(out / 'golden.safetensors', golden(reference, random_sequences(710 + index, [7, 12], 48, [2, 4])))
    read = AutoModelForCausalLM.from_pretrained(out, gguf_file='tiny.gguf', config=AutoConfig.from_pretrained(out), dtype=torch.float32)
    for key, parameter in read.named_parameters():
        if not torch.equal(parameter, expected[key]):
            sys.exit(f'{name}: transformers reads {key} differently')


if __name__ == '__main__':
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make(index, name, changes)
