"""Adapters of Hugging Face PEFT as fixtures: saved, with logits, loss and the gradients of all they train.

Imported by make_peft_*.py; makes nothing when run alone. In a golden.safetensors of an adapter the names after `grad.` are
those of adapter_model.safetensors, those after `merged.` are weights that merge_and_unload changed.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict

from tiny_llama import FIXTURES, golden, load_any, random_sequences, write_json, write_tensors


def sequences(vocab: int):
    return random_sequences(3, [9, 15, 6], vocab, [3, 6, 1])


def save_adapter(model: PeftModel, folder: Path) -> None:
    """As PEFT writes it, without the model card, the base named by its folder here, and sets in sorted order."""
    model.save_pretrained(folder)
    (folder / 'README.md').unlink(missing_ok=True)
    path = folder / 'adapter_config.json'
    config = json.loads(path.read_text())
    config['base_model_name_or_path'] = str(Path(config['base_model_name_or_path']).relative_to(FIXTURES))
    for key, value in config.items():
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            value.sort()
    write_json(path, config)


def adapter_gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    """Gradients of everything trainable, under the names of the adapter file; a tied tensor has the name of the embedding."""
    grads = {name: p.grad for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    missing = [name for name, grad in grads.items() if grad is None]
    if missing:
        sys.exit(f'no gradient reached {missing}')
    named = get_peft_model_state_dict(model, state_dict={**model.state_dict(), **grads}, save_embedding_layers=False)
    once: dict[str, torch.Tensor] = {}
    for name, grad in sorted(named.items(), key=lambda entry: ('embed' not in entry[0], entry[0])):
        if any(grad is other for other in grads.values()) and not any(grad is other for other in once.values()):
            once[name] = grad
    if len(once) != len({id(grad) for grad in grads.values()}):
        sys.exit(f'{len(grads)} gradients, but PEFT names {sorted(once)}')
    return {f'grad.{name}': grad for name, grad in once.items()}


def merged_weights(base: Path, folder: Path) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Weights that merging the adapter changes, and the logits of the merged model."""
    before = dict(load_any(base).named_parameters())
    plain = lambda name: name.replace('.modules_to_save.default.', '.')  # which LN tuning leaves in the merged model
    model = PeftModel.from_pretrained(load_any(base), folder).merge_and_unload()
    with torch.no_grad():
        logits = golden(model, sequences(model.config.vocab_size))['logits']
    names = (name for name, p in model.named_parameters() if name not in before or not torch.equal(p, before[name]))
    weights = dict(model.named_parameters(remove_duplicate=False))
    return {f'merged.{plain(name)}': weights[name] for name in names if '.original_module.' not in name}, logits


def make_adapter(
    folder: Path, base: Path, config: PeftConfig, seed: int, fill: Callable[[str, torch.nn.Parameter, torch.Tensor], None], merged: bool = True
) -> None:
    """Saves an adapter whose trained tensors `fill` changed, given their names and noise of N(0, 1), and its golden file."""
    torch.manual_seed(seed)
    with torch.no_grad():
        plain = golden(load_any(base), sequences(load_any(base).config.vocab_size))['logits']
    model = get_peft_model(load_any(base), config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                fill(name, parameter, torch.randn(parameter.shape, generator=generator))
    save_adapter(model, folder)
    tensors = golden(model, sequences(model.config.vocab_size))
    gradients = adapter_gradients(model)
    moved = (tensors['logits'] - plain).abs().max().item()
    if moved < 0.5:
        sys.exit(f'{folder}: the adapter moves the logits of the base by {moved} alone')
    weights = {}
    with torch.no_grad():
        again = PeftModel.from_pretrained(load_any(base), folder).eval()
        results = {'reloaded': golden(again, sequences(model.config.vocab_size))['logits']}
    if merged:
        weights, results['merged'] = merged_weights(base, folder)
    for what, logits in results.items():
        difference = (logits - tensors['logits']).abs().max().item()
        if difference > 1e-4:
            sys.exit(f'{folder}: {what}, its logits differ by {difference}')
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients, **weights})
    print(f'{folder.relative_to(FIXTURES)}: logits moved by {moved:.2f}')
