"""Seeded tiny LLaMA models, token batches, and the golden files computed from them with Hugging Face transformers.

Imported by the make_*.py scripts beside it; makes nothing when run alone.

Conventions of a golden.safetensors:
  input_ids     i32 [N]     sequences end to end
  labels        i32 [N]     unshifted as in Hugging Face: labels[i] is input_ids[i] where token i is trained, -100 elsewhere;
                            the first label of a sequence never counts, because no position predicts it
  cu_seqlens    i32 [S+1]   sequence s owns rows cu_seqlens[s] .. cu_seqlens[s+1]
  logits        f32 [N, V]  every sequence run alone
  loss          f32 [1]     sum over the trained tokens of all sequences / trained_tokens
  trained_tokens i32 [1]
  grad.<name>   f32         gradient of loss
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

FIXTURES = Path(__file__).resolve().parents[2] / 'fixtures'

logging.disable_progress_bar()
torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)


@dataclass(frozen=True)
class Sequence:
    ids: list[int]
    labels: list[int]


def config_json(**changes) -> dict:
    """config.json in the form most checkpoints on the hub have: rope_theta and rope_scaling at the top level."""
    config = {
        'architectures': ['LlamaForCausalLM'],
        'model_type': 'llama',
        'vocab_size': 160,
        'hidden_size': 48,
        'intermediate_size': 96,
        'num_hidden_layers': 3,
        'num_attention_heads': 6,
        'num_key_value_heads': 2,
        'head_dim': 8,
        'hidden_act': 'silu',
        'max_position_embeddings': 128,
        'rms_norm_eps': 1e-5,
        'rope_theta': 10000.0,
        'tie_word_embeddings': False,
        'attention_bias': False,
        'mlp_bias': False,
        'bos_token_id': 1,
        'eos_token_id': 2,
        'torch_dtype': 'float32',
    }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not None}


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Matrices N(0, 0.1), biases N(0, 0.1), norm weights 1 + N(0, 0.1), head N(0, 0.3) so that logits are not flat."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'norm' in name:
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_((0.3 if 'lm_head' in name else 0.1) * noise)


def write_json(path: Path, value) -> None:
    """Indented, but lists of numbers on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=2, allow_nan=False)
    text = re.sub(r'\[(?:[-+\d.eE,\s]|null)+\]', lambda match: ' '.join(match[0].split()), text)
    path.write_text(text + '\n')


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, path, metadata={'format': 'pt'})


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation='eager')
    return model.eval()


def load_any(folder: Path) -> torch.nn.Module:
    """A model of any family."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()


def make_model(folder: Path, seed: int, **changes) -> LlamaForCausalLM:
    """Writes config.json and model.safetensors, and returns the model as transformers reads it back."""
    write_json(folder / 'config.json', config_json(**changes))
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(folder))
    randomise(model, seed)
    write_tensors(folder / 'model.safetensors', dict(model.named_parameters()))
    return load_model(folder)


def random_sequences(seed: int, lengths: list[int], vocab: int, trained_from: list[int]) -> list[Sequence]:
    """Sequences that open with bos (1); labels are -100 before trained_from[s]."""
    generator = torch.Generator().manual_seed(seed)
    sequences = []
    for length, start in zip(lengths, trained_from, strict=True):
        ids = [1, *torch.randint(3, vocab, (length - 1,), generator=generator).tolist()]
        sequences.append(Sequence(ids, [-100] * start + ids[start:]))
    return sequences


def trained_tokens(sequences: list[Sequence]) -> int:
    return sum(label != -100 for sequence in sequences for label in sequence.labels[1:])


def sequence_loss(logits: torch.Tensor, sequence: Sequence) -> torch.Tensor:
    """Sum of the cross-entropy over the trained tokens of one sequence; logits [T, V]."""
    labels = torch.tensor(sequence.labels)
    return torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction='sum')


def forward(model, sequence: Sequence) -> torch.Tensor:
    return model(input_ids=torch.tensor([sequence.ids]), use_cache=False).logits[0]


def golden(model, sequences: list[Sequence]) -> dict[str, torch.Tensor]:
    """Logits and loss, sequence by sequence; leaves the gradients in the parameters of the model."""
    model.zero_grad()
    count = trained_tokens(sequences)
    logits, total = [], 0.0
    for sequence in sequences:
        out = forward(model, sequence)
        loss = sequence_loss(out, sequence) / count
        if loss.requires_grad:
            loss.backward()
        total += loss.item()
        logits.append(out.detach())
    cu_seqlens = torch.tensor([0] + [len(s.ids) for s in sequences]).cumsum(0)
    return {
        'input_ids': torch.tensor([i for s in sequences for i in s.ids], dtype=torch.int32),
        'labels': torch.tensor([i for s in sequences for i in s.labels], dtype=torch.int32),
        'cu_seqlens': cu_seqlens.to(torch.int32),
        'logits': torch.cat(logits).float(),
        'loss': torch.tensor([total], dtype=torch.float32),
        'trained_tokens': torch.tensor([count], dtype=torch.int32),
    }


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f'grad.{name}': p.grad for name, p in model.named_parameters() if p.grad is not None}


def write_greedy(path: Path, model, prompt: list[int], tokens: int = 24) -> None:
    """The greedy continuation, every token from a pass over all before it; the same in float32 and float64."""

    def continued(model) -> list[int]:
        ids = list(prompt)
        with torch.no_grad():
            for _ in range(tokens):
                ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        return ids[len(prompt) :]

    found = continued(model)
    if hasattr(model, 'generate'):
        out = model.generate(torch.tensor([prompt]), max_new_tokens=tokens, do_sample=False, eos_token_id=None, pad_token_id=0)
        assert out[0, len(prompt) :].tolist() == found
    assert continued(model.double()) == found, f'{path}: a tie'
    write_json(path, {'prompt': prompt, 'ids': found})
