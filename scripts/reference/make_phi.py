"""Makes fixtures/phi: tiny Phi-3 models with logits, loss, gradients and a greedy continuation.

    python scripts/reference/make_phi.py
"""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tiny_llama import FIXTURES, golden, gradients, random_sequences, randomise, write_greedy
from tiny_llama import write_json, write_tensors

SMALL = {
    'architectures': ['Phi3ForCausalLM'],
    'model_type': 'phi3',
    'vocab_size': 48,
    'hidden_size': 32,
    'intermediate_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'num_key_value_heads': 4,
    'hidden_act': 'silu',
    'max_position_embeddings': 64,
    'original_max_position_embeddings': 64,
    'rms_norm_eps': 1e-5,
    'rope_theta': 10000.0,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
    'pad_token_id': 0,
}

VARIANTS = {
    'plain': {'tie_word_embeddings': False, 'sliding_window': 60},
    'grouped': {'num_key_value_heads': 2, 'tie_word_embeddings': False},
    # Of the sequences of 11, 7 and 19 tokens the last one is beyond the trained length; part of a head turns, as in Phi-4-mini.
    'long': {
        'num_key_value_heads': 2,
        'tie_word_embeddings': True,
        'original_max_position_embeddings': 16,
        'partial_rotary_factor': 0.75,
        'rope_scaling': {'type': 'longrope', 'short_factor': [1.0, 1.1, 1.5], 'long_factor': [1.0, 3.0, 5.0]},
    },
}


def make(index: int, name: str, changes: dict) -> None:
    folder = FIXTURES / 'phi' / name
    write_json(folder / 'config.json', {**SMALL, **changes})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    randomise(model, 900 + index)
    write_tensors(folder / 'model.safetensors', dict(model.named_parameters()))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    sequences = random_sequences(910 + index, [11, 7, 19], SMALL['vocab_size'], [4, 0, 9])
    tensors = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    # Where frequencies change with the length, a cache and a whole pass differ.
    if name != 'long':
        write_greedy(folder / 'greedy.json', model, sequences[1].ids)


if __name__ == '__main__':
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make(index, name, changes)
