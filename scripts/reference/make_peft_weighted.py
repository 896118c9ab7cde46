"""Makes fixtures/peft-lora/weighted: what PEFT's add_weighted_adapter gives for adapters of fixtures/peft-lora.

    python scripts/reference/make_peft_lora.py
    python scripts/reference/make_peft_weighted.py

NAME.safetensors has the tensors of the new adapter under the names of its file; cases.json the adapters and weights it was made of,
and its config. svd gives B and A up to signs, so those files hold B A for each layer instead.
"""

import json

import torch
from peft import PeftModel, get_peft_model_state_dict

from tiny_llama import FIXTURES, load_any, write_json, write_tensors

SOURCE = FIXTURES / 'peft-lora'
OUT = SOURCE / 'weighted'

CASES = {
    # One of them is subtracted; one has another scale.
    'linear': ('linear', {'lora': 0.7, 'rslora': -0.3}, None),
    # Layers that only some of them have.
    'cat': ('cat', {'all-linear': 0.5, 'lora': 1.25, 'layers': -2.0}, None),
    # Ranks and scales that differ from layer to layer.
    'cat-patterns': ('cat', {'patterns': 0.6, 'lora': 0.4}, None),
    'cat-embedding': ('cat', {'embedding': 0.75, 'lora': 0.5}, None),
    'svd': ('svd', {'lora': 0.6, 'all-linear': 0.8}, None),
    'svd-rank': ('svd', {'all-linear': 0.6, 'layers': 1.5}, 6),
    'svd-embedding': ('svd', {'embedding': 0.75, 'lora': 0.5}, 3),
}


def products(tensors):
    """B A by layer."""
    found = {}
    for name, a in tensors.items():
        if '.lora_A.' in name:
            found[name.replace('lora_A.weight', 'product')] = tensors[name.replace('lora_A', 'lora_B')] @ a
        elif name.endswith('lora_embedding_A'):
            found[name.replace('lora_embedding_A', 'product')] = tensors[name.replace('_A', '_B')] @ a
    return found


def main() -> None:
    OUT.mkdir(exist_ok=True)
    cases = {}
    for case, (kind, adapters, rank) in CASES.items():
        # PEFT mistakes an adapter that is called lora for its own prefix.
        names = [f'of_{name}' for name in adapters]
        first, *others = adapters
        model = PeftModel.from_pretrained(load_any(FIXTURES / 'llama-tiny'), SOURCE / first, adapter_name=names[0])
        for name in others:
            model.load_adapter(SOURCE / name, adapter_name=f'of_{name}')
        model.add_weighted_adapter(names, list(adapters.values()), 'sum', combination_type=kind, svd_rank=rank)
        tensors = get_peft_model_state_dict(model, adapter_name='sum', save_embedding_layers=False)
        tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        write_tensors(OUT / f'{case}.safetensors', products(tensors) if kind == 'svd' else tensors)
        config = model.peft_config['sum']
        cases[case] = {
            'combination': kind,
            'rank': rank,
            'adapters': adapters,
            'config': {
                'r': config.r,
                'lora_alpha': config.lora_alpha,
                'target_modules': sorted(config.target_modules),
            },
        }
    write_json(OUT / 'cases.json', cases)


if __name__ == '__main__':
    main()
