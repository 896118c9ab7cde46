"""Makes fixtures/peft-parts: adapters that train parts of the model itself, with logits, loss, gradients and merged weights.

    python scripts/reference/make_peft_ia3.py
    python scripts/reference/make_peft_parts.py

LN tuning, trainable tokens and LoRA with trainable tokens are written by PEFT. BitFit has no format in PEFT: its files have the
names that PEFT gives to biases (`base_model.model.<path>.bias`), and their numbers come from transformers alone.
"""

import sys
from pathlib import Path

import torch
from peft import LNTuningConfig, LoraConfig, TrainableTokensConfig

from make_peft_ia3 import ODD, ODD_BIAS
from peft_fixtures import make_adapter, sequences
from tiny_llama import FIXTURES, golden, load_any, write_json, write_tensors

OUT = FIXTURES / 'peft-parts'
TIED = FIXTURES / 'llama-variants' / 'tied-bias'
BLOOM = FIXTURES / 'bloom' / 'tiny'
GEMMA = FIXTURES / 'gemma' / 'gemma3'

LN_VARIANTS = {
    'ln-llama': (ODD, {}),
    'ln-bloom': (BLOOM, {}),
    'ln-gemma3': (GEMMA, {}),
    'ln-qwen3': (FIXTURES / 'qwen' / 'qwen3', {}),
    'ln-gptj': (FIXTURES / 'moss' / 'gptj', {}),
    'ln-chosen': (
        ODD,
        {'target_modules': r'.*norm', 'exclude_modules': ['model.norm', 'layers.1.input_layernorm'], 'modules_to_save': ['lm_head']},
    ),
}

# Ids that the sequences have, in no order, and one that they have not.
TOKENS = [2, 1, 9, 30, 21]
TOKEN_VARIANTS = {
    'tokens-llama': (ODD, {}),
    'tokens-tied': (TIED, {}),
    'tokens-bloom': (BLOOM, {}),
    'tokens-gemma3': (GEMMA, {}),
    'tokens-head': (ODD, {'target_modules': ['embed_tokens', 'lm_head']}),
}
LORA_VARIANTS = {
    'lora-tokens': (ODD, {'trainable_token_indices': TOKENS}),
    'lora-tokens-tied': (TIED, {'trainable_token_indices': TOKENS}),
    'lora-tokens-modules': (ODD, {'trainable_token_indices': {'embed_tokens': TOKENS, 'lm_head': [3, 1]}}),
    'lora-tokens-apart': (TIED, {'trainable_token_indices': {'embed_tokens': TOKENS, 'lm_head': [3, 1]}}),
    'lora-tokens-head': (TIED, {'trainable_token_indices': {'lm_head': TOKENS}}),
}
BITFIT_VARIANTS = {
    'bitfit-llama': (ODD_BIAS, {}),
    'bitfit-bloom': (BLOOM, {}),
    'bitfit-gptj': (FIXTURES / 'moss' / 'gptj', {}),
    'bitfit-chosen': (ODD_BIAS, {'target_modules': ['q_proj', 'up_proj']}),
}


def fill(name: str, parameter: torch.nn.Parameter, noise: torch.Tensor) -> None:
    parameter.add_((0.2 if 'lora_' in name else 1.0 if 'norm' in name else 0.5) * noise)


def make_bitfit(folder: Path, base: Path, target_modules: list[str] | None, seed: int) -> None:
    model = load_any(base)
    plain = golden(model, sequences(model.config.vocab_size))['logits']
    chosen = {}
    for name, parameter in model.named_parameters():
        module = name.removesuffix('.bias')
        wanted = module != name and (target_modules is None or module.split('.')[-1] in target_modules)
        parameter.requires_grad_(wanted)
        if wanted:
            chosen[name] = parameter
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in chosen.values():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    tensors = golden(model, sequences(model.config.vocab_size))
    if (tensors['logits'] - plain).abs().max().item() < 0.5:
        sys.exit(f'{folder}: the biases hardly move the logits')
    gradients = {f'grad.base_model.model.{name}': parameter.grad for name, parameter in chosen.items()}
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients})
    write_tensors(folder / 'adapter_model.safetensors', {f'base_model.model.{name}': p for name, p in chosen.items()})
    write_json(
        folder / 'adapter_config.json',
        {
            'auto_mapping': None,
            'base_model_name_or_path': str(base.relative_to(FIXTURES)),
            'exclude_modules': None,
            'inference_mode': True,
            'layers_pattern': None,
            'layers_to_transform': None,
            'modules_to_save': None,
            'peft_type': 'BITFIT',
            'revision': None,
            'target_modules': sorted({name.split('.')[-2] for name in chosen}),
            'task_type': 'CAUSAL_LM',
        },
    )


if __name__ == '__main__':
    for seed, (name, (base, settings)) in enumerate(LN_VARIANTS.items(), start=190):
        make_adapter(OUT / name, base, LNTuningConfig(task_type='CAUSAL_LM', **settings), seed, fill)
    for seed, (name, (base, settings)) in enumerate(TOKEN_VARIANTS.items(), start=200):
        config = TrainableTokensConfig(task_type='CAUSAL_LM', token_indices=TOKENS, **settings)
        make_adapter(OUT / name, base, config, seed, fill)
    for seed, (name, (base, settings)) in enumerate(LORA_VARIANTS.items(), start=210):
        config = LoraConfig(task_type='CAUSAL_LM', r=4, lora_alpha=8, target_modules=['q_proj', 'v_proj'], **settings)
        # PEFT merges rows of one module of a tied pair into the table of both.
        make_adapter(OUT / name, base, config, seed, fill, merged=name not in ('lora-tokens-apart', 'lora-tokens-head'))
    for seed, (name, (base, settings)) in enumerate(BITFIT_VARIANTS.items(), start=220):
        make_bitfit(OUT / name, base, settings.get('target_modules'), seed)
