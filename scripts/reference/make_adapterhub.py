"""Makes fixtures/peft-adapters: bottleneck adapters written by AdapterHub's `adapters`, with logits, loss and gradients.

    python -m venv .adapterhub && .adapterhub/bin/pip install adapters==1.3.0 transformers==4.57.6 torch==2.13.0
    .adapterhub/bin/python scripts/reference/make_adapterhub.py
    .adapterhub/bin/python scripts/reference/make_adapterhub.py --check FOLDER...

`adapters` needs a version of transformers of its own, so this script is none of those that make_fixtures.py runs. All that an adapter
trains is random and not zero. In golden.safetensors the names after `grad.` are those of the adapter file.

--check loads folders that ift wrote into the base that they name and compares with the logits of the golden.safetensors beside it.
"""

import json
import shutil
import sys
from pathlib import Path

import adapters
import torch
from adapters import BnConfig, DoubleSeqBnConfig, ParBnConfig, SeqBnConfig
from transformers import AutoModelForCausalLM

from tiny_llama import FIXTURES, golden, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'peft-adapters'
GPT2 = FIXTURES.parent / 'examples' / 'plugin-model' / 'fixtures'
NAME = 'task'

SIX = {
    'houlsby': DoubleSeqBnConfig(),
    'pfeiffer': SeqBnConfig(),
    'parallel': ParBnConfig(),
    'scaling-learned': SeqBnConfig(scaling='learned'),
    'sublayer-alone': SeqBnConfig(original_ln_before=False),
    'twice': DoubleSeqBnConfig(original_ln_before=True, residual_before_ln=False),
}
# What the fields mean besides. A norm in front of the bottleneck cannot be saved as safetensors: it has two names.
FIELDS = {
    'norms': DoubleSeqBnConfig(
        ln_before=True, ln_after=True, scaling='channel', reduction_factor={'1': 5, 'default': 16}, non_linearity='gelu'
    ),
    'norm-with-skip': SeqBnConfig(ln_after=True, adapter_residual_before_ln=True, leave_out=[1], non_linearity='leakyrelu'),
    'parallel-both': ParBnConfig(mh_adapter=True, ln_after=True, scaling='channel', non_linearity='tanh'),
    'no-stream': BnConfig(
        mh_adapter=False, output_adapter=True, reduction_factor=1.5, non_linearity='gelu_new',
        original_ln_before=True, original_ln_after=False, residual_before_ln=False, scaling=0.5,
    ),
}
# Families that the library knows by classes of their own, or by its table of interfaces.
OTHERS = {
    'gptj': ('moss/gptj', DoubleSeqBnConfig(original_ln_before=True, reduction_factor=4)),
    'qwen2': ('qwen/qwen2', SeqBnConfig(reduction_factor=4)),
    'qwen3': ('qwen/qwen3', DoubleSeqBnConfig(reduction_factor=4)),
    'gemma3': ('gemma/gemma3', DoubleSeqBnConfig(reduction_factor=4)),
}


def load(folder: Path):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    adapters.init(model)
    return model


def sequences(vocab: int):
    return random_sequences(3, [9, 15, 6], vocab, [3, 6, 1])


def randomise(model, seed: int) -> None:
    """Weights N(0, 0.3), biases N(0, 0.1), what starts as ones around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f'.{NAME}.' not in name:
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            ones = 'scaling' in name or ('norm' in name and 'weight' in name) or ('down.0.weight' in name and parameter.dim() == 1)
            parameter.copy_(1 + 0.1 * noise if ones else (0.3 if parameter.dim() == 2 else 0.1) * noise)


def write_config(folder: Path, base: Path) -> dict:
    path = folder / 'adapter_config.json'
    config = json.loads(path.read_text())
    config['model_name'] = str(base.relative_to(FIXTURES) if base.is_relative_to(FIXTURES) else base.relative_to(FIXTURES.parent))
    write_json(path, config)
    return config


def make(folder: Path, base: Path, config, seed: int, safe: bool) -> None:
    model = load(base)
    with torch.no_grad():
        plain = golden(model, sequences(model.config.vocab_size))['logits']
    model.add_adapter(NAME, config=config)
    model.train_adapter(NAME)
    model.eval()
    randomise(model, seed)
    tensors = golden(model, sequences(model.config.vocab_size))
    moved = (tensors['logits'] - plain).abs().max().item()
    if moved < 0.5:
        sys.exit(f'{folder}: the adapter moves the logits by {moved}')
    # A norm in front of the bottleneck stands under two names, and has one gradient.
    gradients = {f'grad.{name}': p.grad for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for name, grad in gradients.items() if grad is None]
    if missing:
        sys.exit(f'no gradient reached {missing}')
    folder.mkdir(parents=True, exist_ok=True)
    model.save_adapter(str(folder), NAME, use_safetensors=safe)
    for head in folder.glob('*head*'):
        head.unlink()
    write_config(folder, base)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients})
    print(f'{folder.relative_to(OUT)}: logits moved by {moved:.1f}')


def make_older() -> None:
    """An adapter as adapter-transformers 1 wrote it: other names of modules, no version, gelu for what is gelu_new today, and the
    invertible adapter of a language that the file does not hold."""
    folder = OUT / 'older'
    make(folder, FIXTURES / 'llama-tiny', DoubleSeqBnConfig(non_linearity='gelu_new'), 50, False)
    tensors = torch.load(folder / 'pytorch_adapter.bin')
    older = {
        name.replace('attention_adapters.adapters', 'attention_adapters.attention_text_task_adapters').replace(
            'output_adapters.adapters', 'output_adapters.layer_text_task_adapters'
        ): tensor
        for name, tensor in tensors.items()
    }
    torch.save(older, folder / 'pytorch_adapter.bin', _use_new_zipfile_serialization=False)
    config = json.loads((folder / 'adapter_config.json').read_text())
    known = ['adapter_residual_before_ln', 'ln_after', 'ln_before', 'mh_adapter', 'original_ln_after', 'original_ln_before',
             'output_adapter', 'reduction_factor', 'residual_before_ln']
    fields = {key: config['config'][key] for key in known}
    fields |= {'non_linearity': 'gelu', 'invertible_adapter': {'block_type': 'nice', 'non_linearity': 'relu', 'reduction_factor': 2}}
    write_json(folder / 'adapter_config.json', {
        'config': fields, 'hidden_size': 48, 'model_class': 'LlamaForCausalLM', 'model_name': 'llama-tiny', 'model_type': 'llama',
        'name': NAME, 'type': 'text_task',
    })


def check(folder: Path) -> None:
    """Logits of a folder that ift wrote, against the golden.safetensors of the fixture that it was loaded from."""
    from safetensors.torch import load_file

    config = json.loads((folder / 'adapter_config.json').read_text())
    base = FIXTURES / config['model_name']
    model = load(base if base.exists() else FIXTURES.parent / config['model_name'])
    info = {}
    name = model.load_adapter(str(folder), use_safetensors=True, set_active=True, loading_info=info)
    if info['missing_keys'] or info['unexpected_keys']:
        sys.exit(f'{folder}: {info}')
    expected = load_file(folder / 'golden.safetensors')
    with torch.no_grad():
        found = golden(model.eval(), sequences(model.config.vocab_size))['logits']
    difference = (found - expected['logits']).abs().max() / expected['logits'].abs().max()
    print(f'{folder.name}: {name}, logits differ by {difference:.1e} of the largest')
    if difference > 1e-5:
        sys.exit('too much')


if __name__ == '__main__':
    if sys.argv[1:2] == ['--check']:
        for folder in sys.argv[2:]:
            check(Path(folder))
        sys.exit()
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, (name, config) in enumerate({**SIX, **FIELDS}.items(), start=10):
        make(OUT / name, FIXTURES / 'llama-tiny', config, seed, seed % 2 == 0 and not config.ln_before)
    for seed, (name, config) in enumerate(SIX.items(), start=30):
        make(OUT / 'gpt2' / name, GPT2 / 'gpt2-tiny', config, seed, seed % 2 == 0)
    for seed, (name, (base, config)) in enumerate(OTHERS.items(), start=40):
        make(OUT / name, FIXTURES / base, config, seed, seed % 2 == 0)
    make_older()
