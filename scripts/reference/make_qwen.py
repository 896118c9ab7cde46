"""Makes fixtures/qwen: tiny Qwen2 and Qwen3 models with logits, loss, gradients and a greedy continuation.

    python scripts/reference/make_qwen.py
"""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tiny_llama import FIXTURES, golden, gradients, random_sequences, randomise, write_greedy
from tiny_llama import write_json, write_tensors

SMALL = {
    'vocab_size': 48,
    'hidden_size': 16,
    'intermediate_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'hidden_act': 'silu',
    'max_position_embeddings': 64,
    'rms_norm_eps': 1e-6,
    'rope_theta': 1000000.0,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
}

QWEN2 = {'architectures': ['Qwen2ForCausalLM'], 'model_type': 'qwen2'}
QWEN3 = {'architectures': ['Qwen3ForCausalLM'], 'model_type': 'qwen3', 'head_dim': 8}

VARIANTS = {
    # The window is written in most configs and switched off.
    'qwen2': {**QWEN2, 'tie_word_embeddings': False, 'sliding_window': 32, 'max_window_layers': 2, 'use_sliding_window': False},
    'qwen2-tied': {**QWEN2, 'tie_word_embeddings': True, 'num_key_value_heads': 1},
    'qwen3': {**QWEN3, 'tie_word_embeddings': True, 'attention_bias': False},
    'qwen3-bias': {**QWEN3, 'tie_word_embeddings': False, 'attention_bias': True},
    # As the model card of Qwen2.5 says to reach beyond the trained length, which stays in max_position_embeddings.
    'qwen2-yarn': {
        **QWEN2,
        'tie_word_embeddings': False,
        'max_position_embeddings': 16,
        'rope_theta': 100.0,
        'rope_scaling': {'type': 'yarn', 'factor': 4.0, 'original_max_position_embeddings': 16},
    },
}


def make(index: int, name: str, changes: dict) -> None:
    folder = FIXTURES / 'qwen' / name
    write_json(folder / 'config.json', {**SMALL, **changes})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    randomise(model, 300 + index)
    write_tensors(folder / 'model.safetensors', dict(model.named_parameters()))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    sequences = random_sequences(400 + index, [11, 7, 19], SMALL['vocab_size'], [4, 0, 9])
    tensors = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    write_greedy(folder / 'greedy.json', model, sequences[1].ids)


if __name__ == '__main__':
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make(index, name, changes)
