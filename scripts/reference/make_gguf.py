"""Makes fixtures/checkpoint/gguf: a small LLaMA as GGUF, its tensors in six types, and what they hold after dequantising.

    python scripts/reference/make_gguf.py

Rows of q and k are permuted as llama.cpp's converter permutes them. The file is read back with transformers' GGUF reader,
which must give the same weights.
"""

import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_llama import FIXTURES, config_json, golden, load_model, random_sequences, randomise, write_json, write_tensors

OUT = FIXTURES / 'checkpoint' / 'gguf'
HEADS, KV_HEADS, LAYERS = 4, 2, 2
CONFIG = config_json(
    vocab_size=64,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=LAYERS,
    num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS,
    head_dim=16,
    max_position_embeddings=64,
)

# GGUF name without ".weight" -> checkpoint name, type
GLOBAL = {
    'token_embd': ('model.embed_tokens', Q.Q8_0),
    'output_norm': ('model.norm', Q.F32),
    'output': ('lm_head', Q.F16),
}
LAYER = {
    'attn_norm': ('input_layernorm', [Q.F32, Q.F32]),
    'attn_q': ('self_attn.q_proj', [Q.Q4_0, Q.BF16]),
    'attn_k': ('self_attn.k_proj', [Q.Q8_0, Q.F32]),
    'attn_v': ('self_attn.v_proj', [Q.Q4_1, Q.F16]),
    'attn_output': ('self_attn.o_proj', [Q.BF16, Q.Q4_1]),
    'ffn_norm': ('post_attention_layernorm', [Q.F32, Q.F32]),
    'ffn_gate': ('mlp.gate_proj', [Q.Q4_0, Q.Q8_0]),
    'ffn_up': ('mlp.up_proj', [Q.Q4_1, Q.F32]),
    'ffn_down': ('mlp.down_proj', [Q.F16, Q.Q4_0]),
}


def tensor_table() -> dict[str, tuple[str, Q]]:
    table = {f'{name}.weight': (f'{source}.weight', kind) for name, (source, kind) in GLOBAL.items()}
    for layer in range(LAYERS):
        for name, (source, kinds) in LAYER.items():
            table[f'blk.{layer}.{name}.weight'] = (f'model.layers.{layer}.{source}.weight', kinds[layer])
    return table


def permute(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head from halves (i, i + d/2) to neighbours (2i, 2i + 1)."""
    out, columns = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, columns).swapaxes(1, 2).reshape(out, columns)


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    out, columns = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, columns).swapaxes(1, 2).reshape(out, columns)


def heads_of(name: str) -> int | None:
    return HEADS if 'attn_q' in name else KV_HEADS if 'attn_k' in name else None


def add_metadata(writer: gguf.GGUFWriter) -> None:
    writer.add_name('tiny llama')
    writer.add_context_length(CONFIG['max_position_embeddings'])
    writer.add_embedding_length(CONFIG['hidden_size'])
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(CONFIG['intermediate_size'])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(CONFIG['head_dim'])
    writer.add_rope_freq_base(CONFIG['rope_theta'])
    writer.add_layer_norm_rms_eps(CONFIG['rms_norm_eps'])
    writer.add_vocab_size(CONFIG['vocab_size'])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    pieces = ['<unk>', '<s>', '</s>'] + [f'▁{i}' for i in range(3, CONFIG['vocab_size'])]
    writer.add_tokenizer_model('llama')
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(i) for i in range(len(pieces))])
    writer.add_token_types([gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.NORMAL] * 61])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def main() -> None:
    write_json(OUT / 'config.json', CONFIG)
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(OUT))
    randomise(model, 95)
    weights = {name: p.detach().numpy() for name, p in model.named_parameters()}

    writer = gguf.GGUFWriter(OUT / 'mixed.gguf', 'llama')
    add_metadata(writer)
    stored, expected = {}, {}
    for name, (source, kind) in tensor_table().items():
        heads = heads_of(name)
        rows = permute(weights[source], heads) if heads else weights[source]
        data = gguf.quants.quantize(rows, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        values = gguf.quants.dequantize(data, kind).reshape(rows.shape)
        stored[name] = torch.from_numpy(values)
        expected[source] = torch.from_numpy(unpermute(values, heads).copy() if heads else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    # stored.*: as in the file, under GGUF names; expected: with the rows of q and k back in checkpoint order.
    write_tensors(OUT / 'stored.safetensors', stored)
    write_tensors(OUT / 'model.safetensors', expected)
    reference = load_model(OUT)
    with torch.no_grad():
        tensors = golden(reference, random_sequences(96, [7, 12], 64, [2, 4]))
    write_tensors(OUT / 'golden.safetensors', tensors)
    check_with_transformers(expected)


def check_with_transformers(expected: dict[str, torch.Tensor]) -> None:
    read = LlamaForCausalLM.from_pretrained(OUT, gguf_file='mixed.gguf', dtype=torch.float32)
    for name, parameter in read.named_parameters():
        if not torch.equal(parameter, expected[name]):
            sys.exit(f'transformers reads {name} differently: {(parameter - expected[name]).abs().max().item()}')


if __name__ == '__main__':
    main()
