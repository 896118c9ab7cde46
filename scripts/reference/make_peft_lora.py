"""Makes fixtures/peft-lora: LoRA adapters written by PEFT, with logits, loss and the gradients of all they train.

    python scripts/reference/make_llama.py
    python scripts/reference/make_peft_lora.py

Every adapter but those of pissa and olora is filled with random numbers (so B is not zero). In golden.safetensors the names after `grad.` are
those of adapter_model.safetensors.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict

from tiny_llama import FIXTURES, golden, load_any, load_model, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'peft-lora'
TINY = FIXTURES / 'llama-tiny'
BIAS = FIXTURES / 'llama-variants' / 'tied-bias'
PLAIN = FIXTURES / 'llama-variants' / 'plain'

VARIANTS = {
    'lora': {'target_modules': ['q_proj', 'v_proj']},
    'all-linear': {'target_modules': 'all-linear'},
    'rslora': {'target_modules': ['q_proj', 'v_proj'], 'use_rslora': True},
    'dora': {'target_modules': ['q_proj', 'down_proj'], 'use_dora': True},
    'modules-to-save': {'target_modules': ['q_proj', 'v_proj'], 'modules_to_save': ['lm_head', 'embed_tokens']},
    'embedding': {'target_modules': ['q_proj', 'embed_tokens']},
    'lm-head': {'target_modules': ['o_proj', 'lm_head']},
    'patterns': {
        'target_modules': ['q_proj', 'k_proj', 'v_proj'],
        'rank_pattern': {'layers.1.self_attn.q_proj': 6, 'v_proj': 2},
        'alpha_pattern': {'layers.1.self_attn.q_proj': 3, '^model.layers.2.self_attn.k_proj': 20},
    },
    'layers': {'target_modules': ['q_proj', 'o_proj'], 'layers_to_transform': [1], 'layers_pattern': 'layers'},
    'regex': {'target_modules': r'.*\.(0|2)\.mlp\.(gate|up)_proj'},
}
BIAS_VARIANTS = {
    'bias-lora-only': {'target_modules': ['q_proj', 'v_proj'], 'bias': 'lora_only'},
    'bias-all': {'target_modules': ['q_proj'], 'bias': 'all'},
}

# The head of these is tied: what is trained whole is untied from it, unless ensure_weight_tying says otherwise.
TIED_VARIANTS = {
    'tied-embedding': (BIAS, {'modules_to_save': ['embed_tokens']}),
    'tied-head': (BIAS, {'modules_to_save': ['lm_head']}),
    'tied-both': (BIAS, {'modules_to_save': ['embed_tokens', 'lm_head']}),
    'tied-kept': (BIAS, {'modules_to_save': ['embed_tokens'], 'ensure_weight_tying': True}),
    'tied-kept-head': (BIAS, {'modules_to_save': ['lm_head'], 'ensure_weight_tying': True}),
    'tied-lora-embedding': (BIAS, {'target_modules': ['q_proj', 'embed_tokens']}),
    'tied-lora-head': (BIAS, {'target_modules': ['q_proj', 'lm_head']}),
    'tied-lora-both': (BIAS, {'target_modules': ['embed_tokens', 'lm_head']}),
    'tied-gemma': (FIXTURES / 'gemma' / 'gemma3', {'modules_to_save': ['embed_tokens']}),
    'tied-qwen': (FIXTURES / 'qwen' / 'qwen2-tied', {'modules_to_save': ['lm_head']}),
    'tied-bloom': (
        FIXTURES / 'bloom' / 'tiny',
        {'target_modules': ['query_key_value'], 'modules_to_save': ['word_embeddings']},
    ),
}
# What config fields mean besides.
FIELD_VARIANTS = {
    'saved-endings': (PLAIN, {'modules_to_save': ['embed', 'norm']}),
    'saved-target': (PLAIN, {'target_modules': ['q_proj', 'lm_head'], 'modules_to_save': ['lm_head']}),
    'saved-biases': (BIAS, {'modules_to_save': ['v_proj'], 'bias': 'all'}),
    'lora-bias': (BIAS, {'target_modules': ['q_proj', 'down_proj'], 'lora_bias': True, 'bias': 'all'}),
    'python-regex': (PLAIN, {'target_modules': r'(?i).*\.(?P<which>Q|v)_PROJ\Z'}),
    'layers-empty': (PLAIN, {'target_modules': ['q_proj'], 'layers_to_transform': []}),
}


def lora_config(**changes) -> LoraConfig:
    return LoraConfig(**{'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.0, 'task_type': 'CAUSAL_LM', **changes})


def sequences(vocab: int):
    return random_sequences(3, [9, 15, 6], vocab, [3, 6, 1])


def randomise_adapter(model: torch.nn.Module, seed: int) -> None:
    """A and B N(0, 0.2); whatever else is trained (magnitudes, biases, saved modules) moves by N(0, 0.1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            if 'lora_A' in name or 'lora_B' in name or 'lora_embedding' in name:
                parameter.copy_(0.2 * noise)
            else:
                parameter.add_(0.1 * noise)


def save_adapter(model: PeftModel, folder: Path, **arguments) -> None:
    """As PEFT writes it, without the model card, the base named by its folder here, and sets in sorted order."""
    model.save_pretrained(folder, **arguments)
    (folder / 'README.md').unlink(missing_ok=True)
    path = folder / 'adapter_config.json'
    config = json.loads(path.read_text())
    base = config['base_model_name_or_path']
    config['base_model_name_or_path'] = str(Path(base).relative_to(FIXTURES)) if base else base
    for key in ('target_modules', 'modules_to_save'):
        if isinstance(config[key], list):
            config[key].sort()
    write_json(path, config)


def adapter_gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    """Gradients of everything trainable, under the names of the adapter file."""
    grads = {name: p.grad for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    missing = [name for name, grad in grads.items() if grad is None]
    if missing:
        sys.exit(f'no gradient reached {missing}')
    renamed = get_peft_model_state_dict(model, state_dict=grads, save_embedding_layers=False)
    # PEFT names a tied parameter, and a bias of a module that is trained whole, more than once.
    once = {}
    for name, grad in sorted(renamed.items(), key=lambda entry: ('embed' not in entry[0], entry[0])):
        if '.modules_to_save.' not in name and not any(grad is other for other in once.values()):
            once[name] = grad
    count = len({id(grad) for grad in grads.values()})
    if len(once) != count:
        sys.exit(f'{count} gradients, but PEFT names {len(once)}: {sorted(once)}')
    return {f'grad.{name}': grad for name, grad in once.items()}


def write_golden(model: PeftModel, folder: Path) -> dict[str, torch.Tensor]:
    tensors = golden(model, sequences(model.config.vocab_size))
    write_tensors(folder / 'golden.safetensors', {**tensors, **adapter_gradients(model)})
    return tensors


def check_reload(base: Path, folder: Path, expected: torch.Tensor) -> None:
    model = PeftModel.from_pretrained(load_any(base), folder).eval()
    with torch.no_grad():
        logits = golden(model, sequences(model.config.vocab_size))['logits']
    difference = (logits - expected).abs().max().item()
    if difference > 1e-4:
        sys.exit(f'{folder}: reloaded, its logits differ by {difference}')


def make_variant(name: str, base: Path, seed: int, settings: dict, other_table: bool = False) -> None:
    folder = OUT / name
    torch.manual_seed(seed)
    model = get_peft_model(load_any(base), lora_config(**settings)).eval()
    randomise_adapter(model, seed)
    if other_table:
        with torch.no_grad():
            model.get_input_embeddings().weight.mul_(1.5)
    save_adapter(model, folder, **({'save_embedding_layers': True} if other_table else {}))
    expected = write_golden(model, folder)
    check_reload(base, folder, expected['logits'])


def make_merged() -> None:
    """Logits of the plain variant after merge_and_unload, and the weights that the merge changed."""
    model = PeftModel.from_pretrained(load_model(TINY), OUT / 'lora').merge_and_unload()
    with torch.no_grad():
        tensors = golden(model, sequences(160))
    merged = {f'merged.{n}': p for n, p in model.named_parameters() if 'q_proj' in n or 'v_proj' in n}
    write_tensors(OUT / 'merged' / 'golden.safetensors', {**tensors, **merged})


def make_from_weight(start: str, seed: int) -> None:
    """START/: right after the initialisation, where the logits are the base's. START-trained/: A and B moved, as training
    would, and that adapter converted by PEFT to a plain one of rank 2r for the untouched base."""
    with torch.no_grad():
        base_logits = golden(load_model(TINY), sequences(160))['logits']
    torch.manual_seed(seed)
    model = get_peft_model(load_model(TINY), lora_config(target_modules=['q_proj', 'v_proj'], init_lora_weights=start)).eval()
    initial = OUT / start
    # PEFT's conversion wants the initial adapter saved under another init_lora_weights, so that loading it runs no SVD.
    model.peft_config['default'].init_lora_weights = True
    save_adapter(model, OUT / f'{start}-initial')
    model.peft_config['default'].init_lora_weights = start
    save_adapter(model, initial)
    tensors = golden(model, sequences(160))
    difference = (tensors['logits'] - base_logits).abs().max().item()
    if difference > 1e-4:
        sys.exit(f'{start} changed the logits of the base by {difference}')
    residual = {
        'residual.' + name.removeprefix('base_model.model.').replace('.base_layer', ''): p
        for name, p in model.named_parameters()
        if 'base_layer' in name
    }
    write_tensors(initial / 'golden.safetensors', {**tensors, **adapter_gradients(model), **residual})

    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    trained = OUT / f'{start}-trained'
    save_adapter(model, trained)
    expected = write_golden(model, trained)
    save_adapter(model, trained / 'converted', path_initial_model_for_weight_conversion=str(OUT / f'{start}-initial'))
    shutil.rmtree(OUT / f'{start}-initial')
    check_reload(TINY, trained / 'converted', expected['logits'])


if __name__ == '__main__':
    for seed, (name, settings) in enumerate(VARIANTS.items(), start=40):
        make_variant(name, TINY, seed, settings)
    for seed, (name, settings) in enumerate(BIAS_VARIANTS.items(), start=55):
        make_variant(name, BIAS, seed, settings)
    for seed, (name, (base, settings)) in enumerate({**TIED_VARIANTS, **FIELD_VARIANTS}.items(), start=70):
        make_variant(name, base, seed, {'target_modules': ['q_proj'], **settings})
    make_variant('tied-brought', BIAS, 90, {'target_modules': ['q_proj']}, other_table=True)
    make_merged()
    make_from_weight('pissa', 60)
    make_from_weight('olora', 62)
