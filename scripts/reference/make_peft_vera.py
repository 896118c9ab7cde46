"""Makes fixtures/peft-vera: VeRA adapters written by PEFT, with logits, loss, gradients and merged weights, and
projections.json: the start of the random projections that PyTorch makes from a key.

    python scripts/reference/make_peft_ia3.py
    python scripts/reference/make_peft_vera.py
"""

import math

import torch
from peft import VeraConfig

from make_peft_ia3 import ODD, ODD_BIAS
from peft_fixtures import make_adapter
from tiny_llama import FIXTURES, write_json

OUT = FIXTURES / 'peft-vera'

VARIANTS = {
    'llama': (FIXTURES / 'llama-tiny', {}),
    # Every layer takes its own part of the projections.
    'sizes': (ODD, {'target_modules': ['q_proj', 'v_proj', 'up_proj', 'down_proj']}),
    'by-key': (ODD, {'target_modules': ['q_proj', 'down_proj'], 'save_projection': False, 'projection_prng_key': 2**32 + 7}),
    'layers': (ODD, {'target_modules': ['q_proj', 'o_proj'], 'layers_to_transform': [1], 'layers_pattern': 'layers'}),
    'modules-to-save': (ODD, {'target_modules': ['v_proj', 'o_proj'], 'modules_to_save': ['lm_head']}),
    'bias-vera-only': (ODD_BIAS, {'target_modules': ['q_proj', 'down_proj'], 'bias': 'vera_only'}),
    'bias-all': (ODD_BIAS, {'target_modules': 'all-linear', 'bias': 'all'}),
    'bloom': (FIXTURES / 'bloom' / 'tiny', {}),
    'gptj': (FIXTURES / 'moss' / 'gptj', {'target_modules': ['q_proj', 'v_proj', 'fc_out']}),
}


def fill(name: str, parameter: torch.nn.Parameter, noise: torch.Tensor) -> None:
    parameter.add_((1.0 if 'vera_lambda' in name else 0.1) * noise)


def projections(key: int, r: int, widest_in: int, widest_out: int) -> dict:
    """Of A [r, in] and B [out, r] the first values, the last and the sum of squares in float64."""
    generator = torch.Generator().manual_seed(key)
    parts = {}
    for name, shape in (('A', (r, widest_in)), ('B', (widest_out, r))):
        bound = math.sqrt(3.0) * math.sqrt(2.0) / math.sqrt(shape[1])
        values = torch.empty(shape).uniform_(-bound, bound, generator=generator).flatten()
        parts[name] = {'head': values[:4].tolist(), 'tail': values[-2:].tolist(), 'squares': values.double().square().sum().item()}
    return {'key': key, 'r': r, 'in': widest_in, 'out': widest_out, **parts}


if __name__ == '__main__':
    for seed, (name, (base, settings)) in enumerate(VARIANTS.items(), start=160):
        config = VeraConfig(task_type='CAUSAL_LM', **{'r': 5, **settings})
        make_adapter(OUT / name, base, config, seed, fill)
    keys = [(0, 5, 48, 33), (1, 3, 7, 700), (7, 256, 15, 25), (2**31, 2, 2, 2), (2**32 + 7, 5, 25, 18), (2**53 - 1, 9, 9, 9), (-3, 4, 5, 6)]
    write_json(OUT / 'projections.json', [projections(*key) for key in keys])
