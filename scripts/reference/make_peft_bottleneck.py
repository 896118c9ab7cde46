"""Makes fixtures/peft-bottleneck: bottleneck adapters as Alpaca-CoT and LLM-Adapters have them, with logits, loss and gradients.

    python scripts/reference/make_llama.py
    python scripts/reference/make_bloom.py
    python scripts/reference/make_peft_bottleneck.py

Their copy of PEFT cannot be installed beside a current PyTorch; the formulas are written again here. Around one linear layer, with
B(z) = scaling * f(z Dᵀ) Uᵀ and no biases:

    mh_adapter        y = (x + B(x)) Wᵀ + b       in front of the first layers of the feed-forward
    output_adapter    y = x Wᵀ + b; y + B(y)      behind its last layer
    parallel_adapter  y = x Wᵀ + b + B(x)         beside any layer

D and U are random, scaling too where it is learned. In golden.safetensors the names after `grad.` are those of adapter_model.bin.
"""

import shutil
import sys
from pathlib import Path

import torch

from tiny_llama import FIXTURES, golden, load_any, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'peft-bottleneck'
BEFORE = ['gate_proj', 'up_proj', 'dense_h_to_4h', 'fc_in']
LLAMA = FIXTURES / 'llama-tiny'
BIAS = FIXTURES / 'llama-variants' / 'tied-bias'
ACTIVATIONS = {'tanh': torch.tanh, 'relu': torch.relu, 'gelu': torch.nn.functional.gelu, 'swish': torch.nn.functional.silu}

FEED_FORWARD = ['gate_proj', 'up_proj', 'down_proj']
VARIANTS = {
    'houlsby': (LLAMA, {'target_modules': FEED_FORWARD}),
    'pfeiffer': (LLAMA, {'use_adapterp': True, 'target_modules': ['down_proj'], 'scaling': 'learned', 'non_linearity': 'relu'}),
    'parallel': (
        LLAMA,
        {
            'use_parallel_adapter': True,
            'target_modules': ['q_proj', 'v_proj', 'k_proj'],
            'scaling': 2.5,
            'non_linearity': 'gelu',
            'init_weights': 'mam_adapter',
        },
    ),
    'biases': (BIAS, {'target_modules': FEED_FORWARD, 'bias': 'adapter_only', 'non_linearity': 'swish'}),
    'bloom': (FIXTURES / 'bloom' / 'tiny', {'target_modules': ['dense_h_to_4h', 'dense_4h_to_h']}),
}

DEFAULTS = {
    'adapter_dropout': 0.0,
    'bias': 'none',
    'bottleneck_size': 5,
    'inference_mode': True,
    'init_weights': 'bert',
    'modules_to_save': None,
    'non_linearity': 'tanh',
    'peft_type': 'BOTTLENECK',
    'scaling': 1.0,
    'task_type': 'CAUSAL_LM',
    'use_adapterp': False,
    'use_parallel_adapter': False,
}


class Bottleneck(torch.nn.Module):
    def __init__(self, linear: torch.nn.Linear, kind: str, config: dict, generator: torch.Generator):
        super().__init__()
        self.linear, self.kind, self.f = linear, kind, ACTIVATIONS[config['non_linearity']]
        size, width = config['bottleneck_size'], linear.out_features if kind == 'output' else linear.in_features
        draw = lambda *shape: torch.nn.Parameter(0.3 * torch.randn(shape, generator=generator))
        self.adapter_down = draw(size, width)
        self.adapter_up = draw(width if kind == 'mh' else linear.out_features, size)
        self.adapter_scaling = torch.nn.Parameter(1 + draw(1).detach()) if config['scaling'] == 'learned' else config['scaling']

    def branch(self, z):
        return (self.f(z @ self.adapter_down.T) @ self.adapter_up.T) * self.adapter_scaling

    def forward(self, x):
        if self.kind == 'mh':
            return self.linear(x + self.branch(x))
        y = self.linear(x)
        return y + self.branch(y if self.kind == 'output' else x)

    def trained(self, bias: str):
        yield 'adapter_down.weight', self.adapter_down
        yield 'adapter_up.weight', self.adapter_up
        if isinstance(self.adapter_scaling, torch.nn.Parameter):
            yield 'adapter_scaling', self.adapter_scaling
        if bias == 'adapter_only':
            yield 'bias', self.linear.bias


def make(folder: Path, base: Path, changes: dict, seed: int) -> None:
    config = {**DEFAULTS, 'base_model_name_or_path': str(base.relative_to(FIXTURES)), **changes}
    model = load_any(base)
    sequences = random_sequences(3, [9, 15, 6], model.config.vocab_size, [3, 6, 1])
    with torch.no_grad():
        plain = golden(model, sequences)['logits']
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    trained = {}
    for path, module in list(model.named_modules()):
        name = path.split('.')[-1]
        if name not in config['target_modules']:
            continue
        kind = 'parallel' if config['use_parallel_adapter'] else 'mh' if name in BEFORE else 'output'
        wrapper = Bottleneck(module, kind, config, generator)
        model.get_submodule(path.rpartition('.')[0]).add_module(name, wrapper)
        for end, parameter in wrapper.trained(config['bias']):
            parameter.requires_grad_(True)
            if end == 'bias':
                parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
            trained[f'base_model.model.{path}.{end}'] = parameter
    tensors = golden(model, sequences)
    moved = (tensors['logits'] - plain).abs().max().item()
    if moved < 0.5:
        sys.exit(f'{folder}: the adapter moves the logits by {moved}')
    print(f'{folder.name}: logits moved by {moved:.1f}')
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({name: parameter.detach() for name, parameter in trained.items()}, folder / 'adapter_model.bin')
    write_json(folder / 'adapter_config.json', dict(sorted(config.items())))
    write_tensors(folder / 'golden.safetensors', {**tensors, **{f'grad.{name}': p.grad for name, p in trained.items()}})


if __name__ == '__main__':
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, (name, (base, changes)) in enumerate(VARIANTS.items(), start=20):
        make(OUT / name, base, changes, seed)
