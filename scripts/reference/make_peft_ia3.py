"""Makes fixtures/peft-ia3: (IA)³ adapters written by PEFT, with logits, loss, gradients and merged weights.

    python scripts/reference/make_peft_ia3.py

Beside them odd and odd-bias: tiny LLaMA models without a round size, also the bases of fixtures/peft-vera.
"""

import torch
from peft import IA3Config

from peft_fixtures import make_adapter
from tiny_llama import FIXTURES, make_model

OUT = FIXTURES / 'peft-ia3'
ODD = OUT / 'odd'
ODD_BIAS = OUT / 'odd-bias'

SIZES = {
    ODD: {'hidden_size': 15, 'intermediate_size': 25, 'num_attention_heads': 3, 'num_key_value_heads': 1, 'head_dim': 6, 'vocab_size': 37},
    ODD_BIAS: {
        'hidden_size': 25,
        'intermediate_size': 11,
        'num_attention_heads': 5,
        'num_key_value_heads': 5,
        'head_dim': 4,
        'vocab_size': 41,
        'attention_bias': True,
        'mlp_bias': True,
    },
}

# Targets that are not named are PEFT's for the family.
VARIANTS = {
    'llama': (FIXTURES / 'llama-tiny', {}),
    'biases': (ODD_BIAS, {'target_modules': ['q_proj', 'v_proj', 'up_proj', 'down_proj'], 'feedforward_modules': ['down_proj']}),
    'bloom': (FIXTURES / 'bloom' / 'tiny', {}),
    'gptj': (FIXTURES / 'moss' / 'gptj', {}),
    'codegen': (FIXTURES / 'moss' / 'codegen', {'target_modules': ['qkv_proj', 'fc_out'], 'feedforward_modules': ['fc_out']}),
    'qwen3': (FIXTURES / 'qwen' / 'qwen3-bias', {}),
    'gemma3': (FIXTURES / 'gemma' / 'gemma3', {}),
    # Endings of names without a dot before them.
    'endings': (ODD, {'target_modules': r'.*\.(k|v|o|down)_proj', 'feedforward_modules': ['n_proj', 'o_proj']}),
    'regex': (
        ODD,
        {
            'target_modules': ['k_proj', 'gate_proj', 'down_proj', 'lm_head'],
            'feedforward_modules': r'.*\.0\.mlp\.\w+|lm_head',
            'exclude_modules': r'.*\.2\.mlp\.gate_proj',
        },
    ),
    'outputs-only': (ODD, {'target_modules': ['k_proj', 'down_proj'], 'feedforward_modules': []}),
    'modules-to-save': (ODD, {'target_modules': ['v_proj', 'down_proj'], 'feedforward_modules': ['down_proj'], 'modules_to_save': ['lm_head']}),
}


def fill(name: str, parameter: torch.nn.Parameter, noise: torch.Tensor) -> None:
    parameter.add_((1.0 if 'ia3_l' in name else 0.1) * noise)


if __name__ == '__main__':
    for seed, (folder, sizes) in enumerate(SIZES.items(), start=120):
        make_model(folder, seed, **{'num_hidden_layers': 3, 'max_position_embeddings': 64, **sizes})
    for seed, (name, (base, settings)) in enumerate(VARIANTS.items(), start=130):
        make_adapter(OUT / name, base, IA3Config(task_type='CAUSAL_LM', **settings), seed, fill)
