"""Makes fixtures/gemma: tiny Gemma and Gemma 3 models with logits, loss, gradients and a greedy continuation.

    python scripts/reference/make_gemma.py
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
    'head_dim': 8,
    'max_position_embeddings': 64,
    'rms_norm_eps': 1e-6,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
}

GEMMA = {'architectures': ['GemmaForCausalLM'], 'model_type': 'gemma'}
GEMMA3 = {
    'architectures': ['Gemma3ForCausalLM'],
    'model_type': 'gemma3_text',
    'hidden_activation': 'gelu_pytorch_tanh',
    # Every second layer attends to everything, the others have frequencies of their own.
    'sliding_window': 48,
    'sliding_window_pattern': 2,
    'query_pre_attn_scalar': 12,
}

VARIANTS = {
    'gemma': {**GEMMA, 'hidden_act': 'gelu', 'tie_word_embeddings': True, 'num_key_value_heads': 1},
    'gemma-bias': {**GEMMA, 'hidden_act': 'gelu_pytorch_tanh', 'tie_word_embeddings': False, 'attention_bias': True},
    'gemma3': {**GEMMA3, 'tie_word_embeddings': True, 'rope_theta': 1000000.0, 'rope_local_base_freq': 10000.0},
    # As transformers 5 writes it; the frequencies of whole attention divided, as in the sizes from 4B on.
    'gemma3-parameters': {
        **GEMMA3,
        'tie_word_embeddings': True,
        'layer_types': ['full_attention', 'sliding_attention'],
        'rope_parameters': {
            'full_attention': {'rope_type': 'linear', 'factor': 8.0, 'rope_theta': 1000000.0},
            'sliding_attention': {'rope_type': 'default', 'rope_theta': 10000.0},
        },
    },
}


def make(index: int, name: str, changes: dict) -> None:
    folder = FIXTURES / 'gemma' / name
    write_json(folder / 'config.json', {**SMALL, **changes})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    randomise(model, 800 + index)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            # Norms multiply by 1 + weight; looked-up rows are scaled by sqrt(hidden_size).
            if 'norm' in key:
                parameter.sub_(1)
    write_tensors(folder / 'model.safetensors', dict(model.named_parameters()))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    sequences = random_sequences(810 + index, [11, 7, 19], SMALL['vocab_size'], [4, 0, 9])
    tensors = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    write_greedy(folder / 'greedy.json', model, sequences[1].ids)


if __name__ == '__main__':
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make(index, name, changes)
