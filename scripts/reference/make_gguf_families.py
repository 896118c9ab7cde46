"""Makes fixtures/checkpoint/gguf-families: the tiny models of fixtures/ as GGUF files, one of each architecture that ift reads.

    python scripts/reference/make_gguf_families.py

Names come from the tensor maps of the package gguf, keys and the order of rows from llama.cpp's converter (its classes in conversion/).
Matrices are f32, so that what is read back are the numbers of the safetensors file, but for the models in MIXED: theirs have several types, and
NAME.safetensors has what the file holds after dequantising. gemma3 and mixed models are made here.
"""

import json
import math

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from make_gguf import permute
from tiny_llama import FIXTURES, randomise, write_json, write_tensors

OUT = FIXTURES / 'checkpoint' / 'gguf-families'

GEMMA3 = {
    'architectures': ['Gemma3ForCausalLM'],
    'model_type': 'gemma3_text',
    'vocab_size': 48,
    'hidden_size': 16,
    'intermediate_size': 24,
    'num_hidden_layers': 6,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'head_dim': 8,
    'max_position_embeddings': 64,
    'rms_norm_eps': 1e-6,
    'bos_token_id': 1,
    'eos_token_id': 2,
    'hidden_activation': 'gelu_pytorch_tanh',
    'sliding_window': 48,
    'sliding_window_pattern': 6,
    'query_pre_attn_scalar': 8,
    'tie_word_embeddings': True,
    'rope_theta': 1000000.0,
    'rope_local_base_freq': 10000.0,
    'torch_dtype': 'float32',
}

# Folder of the model, architecture of the file; options are arguments of `make`.
MODELS = {
    'llama': ('llama-variants/head-dim', 'llama', {}),
    'llama-bias': ('llama-variants/tied-bias', 'llama', {}),
    'llama3': ('llama-variants/rope-llama3', 'llama', {}),
    'llama-linear': ('llama-variants/rope-linear', 'llama', {}),
    'llama-yarn': ('llama-variants/rope-yarn', 'llama', {}),
    'baichuan': ('baichuan/rotary', 'baichuan', {}),
    'baichuan-alibi': ('baichuan/alibi', 'baichuan', {}),
    'bloom': ('bloom/heads-6', 'bloom', {}),
    'chatglm': ('chatglm/chatglm2', 'chatglm', {}),
    'chatglm-long': ('chatglm/chatglm3-long', 'chatglm', {}),
    'glm': ('chatglm/glm', 'chatglm', {}),
    'glm4': ('chatglm/glm4', 'glm4', {}),
    'gemma': ('gemma/gemma', 'gemma', {}),
    'gemma3': (None, 'gemma3', {'config': GEMMA3, 'seed': 2901}),
    # Has no architecture of its own.
    'internlm': ('internlm/internlm', 'llama', {}),
    'internlm2': ('internlm/internlm2', 'internlm2', {}),
    'phi3': ('phi/plain', 'phi3', {}),
    'phi3-grouped': ('phi/grouped', 'phi3', {}),
    'phi3-long': ('phi/long', 'phi3', {}),
}
MIXED = {
    'internlm2-mixed': ('internlm/internlm2', 'internlm2', {'widen': 32}),
}


def scaling_of(config: dict) -> dict:
    rope = config.get('rope_scaling') or config.get('rope_parameters') or {}
    return {'rope_type': rope.get('rope_type', rope.get('type', 'default')), **rope}


def first(config: dict, *names: str, otherwise=None):
    return next((config[name] for name in names if config.get(name) is not None), otherwise)


def add_keys(writer: gguf.GGUFWriter, arch: str, config: dict, layers: int) -> None:
    hidden = first(config, 'hidden_size', 'n_embed')
    heads = first(config, 'num_attention_heads', 'n_head')
    writer.add_context_length(first(config, 'max_position_embeddings', 'seq_length', 'model_max_length', otherwise=2048))
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(first(config, 'ffn_hidden_size', 'intermediate_size', otherwise=4 * hidden))
    writer.add_head_count(heads)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if arch == 'bloom':
        writer.add_head_count_kv(heads)
        writer.add_layer_norm_eps(config['layer_norm_epsilon'])
        return
    writer.add_head_count_kv(first(config, 'multi_query_group_num', 'num_key_value_heads', otherwise=heads))
    writer.add_layer_norm_rms_eps(first(config, 'layernorm_epsilon', 'rms_norm_eps'))
    head_dim = first(config, 'head_dim', 'kv_channels', otherwise=hidden // heads)
    if head_dim != hidden // heads or arch in ('gemma', 'gemma3'):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    rope = scaling_of(config)
    part = first(config, 'partial_rotary_factor', otherwise=rope.get('partial_rotary_factor', 1 if arch not in ('chatglm', 'glm4') else 0.5))
    if arch not in ('gemma', 'gemma3'):
        writer.add_rope_dimension_count(int(head_dim * part))
    if arch == 'chatglm':
        writer.add_rope_freq_base(10000.0 * config.get('rope_ratio', 1))
        writer.add_add_bos_token(False)
    elif arch not in ('baichuan', 'gemma'):
        writer.add_rope_freq_base(first(config, 'rope_theta', otherwise=rope.get('rope_theta', 10000.0)))
    if arch == 'baichuan':
        writer.add_tensor_data_layout('Meta AI original pth')
        # Files of the 13B models have no such key, which have 40 layers.
        if 'max_position_embeddings' not in config:
            writer.add_max_alibi_bias(8.0)
    if arch == 'gemma3':
        writer.add_sliding_window(config['sliding_window'])
    if arch == 'phi3':
        original = config.get('original_max_position_embeddings', config['max_position_embeddings'])
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_sliding_window(config.get('sliding_window') or 0)
        scale = config['max_position_embeddings'] / original
        if 'long_factor' in rope:
            writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)))
    elif rope['rope_type'] in ('linear', 'yarn'):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope['rope_type']))
        writer.add_rope_scaling_factor(rope['factor'])
        if 'original_max_position_embeddings' in rope:
            writer.add_rope_scaling_orig_ctx_len(rope['original_max_position_embeddings'])
        for key in ('beta_fast', 'beta_slow'):
            if key in rope:
                writer.add_float32(f'{arch}.rope.scaling.yarn_{key}', rope[key])


def add_tokens(writer: gguf.GGUFWriter, vocab: int) -> None:
    pieces = ['<unk>', '<s>', '</s>'] + [f'▁{i}' for i in range(3, vocab)]
    writer.add_tokenizer_model('llama')
    writer.add_tokenizer_pre('default')
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(i) for i in range(len(pieces))])
    writer.add_token_types([gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.NORMAL] * (vocab - 3)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def tables(arch: str, config: dict) -> dict[str, np.ndarray]:
    """Divisors of the frequencies, as LlamaModel and Phi3MiniModel write them."""
    rope = scaling_of(config)
    if arch == 'phi3' and 'long_factor' in rope:
        return {
            'rope_factors_long.weight': np.array(rope['long_factor'], np.float32),
            'rope_factors_short.weight': np.array(rope['short_factor'], np.float32),
        }
    if rope['rope_type'] != 'llama3':
        return {}
    dim = config.get('head_dim', config['hidden_size'] // config['num_attention_heads'])
    base, factor = config['rope_theta'], rope['factor']
    low, high, old = rope['low_freq_factor'], rope['high_freq_factor'], rope['original_max_position_embeddings']
    out = []
    for freq in 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)):
        wavelen = 2 * math.pi / float(freq)
        if wavelen < old / high:
            out.append(1.0)
        elif wavelen > old / low:
            out.append(factor)
        else:
            smooth = (old / wavelen - low) / (high - low)
            out.append(1 / ((1 - smooth) / factor + smooth))
    return {'rope_freqs.weight': np.array(out, np.float32)}


def rows_of(arch: str, config: dict, name: str, value: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """A tensor of the checkpoint as those of the file, under names that the map of gguf knows."""
    heads = first(config, 'num_attention_heads', 'n_head')
    kv_heads = first(config, 'num_key_value_heads', otherwise=heads)
    turn = lambda rows, count: permute(rows.reshape(len(rows), -1), count).reshape(rows.shape)
    if arch == 'llama' and '.q_proj.' in name:
        return [(name, turn(value, heads))]
    if arch == 'llama' and '.k_proj.' in name:
        return [(name, turn(value, kv_heads))]
    parts = [name.replace(old, f'self_attn.{letter}_proj') for old in ('self_attn.W_pack', 'attention.wqkv') if old in name for letter in 'qkv']
    if arch == 'baichuan' and 'W_pack' in name:
        q, k, v = np.split(value, 3)
        return list(zip(parts, [turn(q, heads), turn(k, heads), v]))
    if arch == 'internlm2' and 'wqkv' in name:
        grouped = value.reshape(kv_heads, heads // kv_heads + 2, -1, *value.shape[1:])
        q, k, v = grouped[:, :-2], grouped[:, -2], grouped[:, -1]
        q, k, v = (part.reshape(-1, *value.shape[1:]) for part in (q, k, v))
        return list(zip(parts, [turn(q, heads), turn(k, kv_heads), v]))
    if arch == 'bloom':
        name = name.replace('transformer.', '')
        if 'query_key_value' in name:
            by_head = value.reshape(heads, 3, -1, *value.shape[1:])
            value = np.concatenate([by_head[:, part].reshape(-1, *value.shape[1:]) for part in range(3)])
    if arch == 'chatglm':
        name = name.removeprefix('transformer.')
    if arch.startswith('gemma') and name.endswith('norm.weight'):
        value = value + 1
    return [(name, value)]


def types_of(name: str, mixed: bool) -> Q:
    """Several types, as llama.cpp's mixtures have them; those of k-quants, which the package only reads, are elsewhere."""
    if not mixed or 'norm' in name or name.endswith('.bias'):
        return Q.F32
    kinds = {'attn_q': Q.Q8_0, 'attn_k': Q.F16, 'attn_v': Q.BF16, 'ffn_gate': Q.Q4_0, 'ffn_up': Q.Q5_1, 'ffn_down': Q.Q5_0, 'attn_output': Q.Q4_1}
    return next((kind for part, kind in kinds.items() if part in name), Q.Q8_0)


def make(name: str, folder: str | None, arch: str, *, config: dict | None = None, seed: int | None = None, widen: int | None = None) -> None:
    config = dict(config or json.loads((FIXTURES / folder / 'config.json').read_text()))
    if widen is not None:
        config |= {'hidden_size': widen, 'intermediate_size': widen, 'num_hidden_layers': 1}
        layers = {key: t for key, t in load_file(FIXTURES / folder / 'model.safetensors').items() if '.1.' not in key}
        generator = torch.Generator().manual_seed(2902)
        heads, kv_heads = config['num_attention_heads'], config.get('num_key_value_heads', config['num_attention_heads'])
        head_dim = widen // heads
        wide = lambda key, t: {
            'wqkv': ((heads + 2 * kv_heads) * head_dim, widen), 'wo': (widen, widen),
        }.get(key.split('.')[-2], (config['vocab_size'], widen) if t.shape[0] == config['vocab_size'] else (widen,) * t.dim())
        tensors = {key: torch.randn(wide(key, t), generator=generator) * 0.2 for key, t in layers.items()}
    elif folder is None:
        write_json(OUT / name / 'config.json', config)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(OUT / name))
        randomise(model, seed)
        tensors = {key: p.detach() for key, p in model.named_parameters()}
        write_tensors(OUT / name / 'model.safetensors', tensors)
    else:
        tensors = load_file(FIXTURES / folder / 'model.safetensors')
    layers = first(config, 'num_hidden_layers', 'num_layers', 'n_layer')
    names = gguf.get_tensor_name_map(next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == arch), layers)
    writer = gguf.GGUFWriter(OUT / f'{name}.gguf', arch)
    writer.add_name(name)
    add_keys(writer, arch, config, layers)
    add_tokens(writer, first(config, 'vocab_size', 'padded_vocab_size'))
    twin = {}
    for key, tensor in tensors.items():
        if key.endswith('.inv_freq'):
            continue
        held = []
        for source, rows in rows_of(arch, config, key, tensor.float().numpy()):
            place = names.get_name(source, try_suffixes=('.weight', '.bias'))
            assert place is not None, source
            kind = types_of(place, widen is not None)
            data = gguf.quants.quantize(np.ascontiguousarray(rows, np.float32), kind)
            writer.add_tensor(place, data, raw_dtype=kind)
            held.append(gguf.quants.dequantize(data, kind).reshape(rows.shape))
        if widen is not None:
            twin[key] = torch.from_numpy(back(arch, config, key, held))
    for key, table in tables(arch, config).items():
        writer.add_tensor(key, table)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if widen is not None:
        write_json(OUT / name / 'config.json', config)
        write_tensors(OUT / name / 'model.safetensors', twin)


def back(arch: str, config: dict, name: str, held: list[np.ndarray]) -> np.ndarray:
    """Rows in the order of the checkpoint: where `rows_of` puts the number of each row."""
    rows = sum(len(part) for part in held)
    numbers = rows_of(arch, config, name, np.arange(rows, dtype=np.float32).reshape(rows, 1))
    order = np.concatenate([part[:, 0] for _, part in numbers]).astype(int)
    out = np.empty((rows, *held[0].shape[1:]), np.float32)
    out[order] = np.concatenate(held)
    return out


if __name__ == '__main__':
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (folder, arch, options) in {**MODELS, **MIXED}.items():
        make(name, folder, arch, **options)
