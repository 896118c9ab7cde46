"""Makes fixtures/peft-lora/train-20 and fixtures/llama-tiny/train-full-20.json: 20 optimizer steps, with the data of each.

    python scripts/reference/make_llama.py
    python scripts/reference/make_training_curves.py

Each step has two micro-batches of two sequences. Its loss is the sum over the trained tokens of both micro-batches divided by
their number. AdamW is torch.optim.AdamW, the schedule transformers' linear one (the first step has learning rate 0), clipping
torch's clip_grad_norm_. Every curve is also run in float64, which shows how far float32 rounding moves it.
"""

import copy
import random

import torch
from peft import get_peft_model
from transformers import get_linear_schedule_with_warmup

from make_peft_lora import OUT, TINY, lora_config, save_adapter
from tiny_llama import FIXTURES, Sequence, forward, load_model, sequence_loss, trained_tokens, write_json

STEPS = 20
WARMUP = 4
CLIP = 1.0
ADAMW = {'betas': (0.9, 0.999), 'eps': 1e-8, 'weight_decay': 0.01}

Step = list[list[Sequence]]


def make_data(seed: int) -> list[Step]:
    """Steps drawn from a pool of 10 sequences, so that the loss can fall."""
    source = random.Random(seed)
    pool = []
    for length in (5, 8, 9, 12, 14, 15, 17, 20, 23, 26):
        ids = [1] + [source.randrange(3, 160) for _ in range(length - 2)] + [2]
        start = source.randrange(1, length - 2)
        pool.append(Sequence(ids, [-100] * start + ids[start:]))
    return [[source.sample(pool, 2) for _ in range(2)] for _ in range(STEPS)]


def is_decayed(name: str) -> bool:
    """As the Trainer of transformers decides: neither biases nor norms."""
    return not (name.endswith('bias') or 'norm' in name)


def train(model: torch.nn.Module, data: list[Step], lr: float) -> dict[str, list[float]]:
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {'params': [p for name, p in named if is_decayed(name)]},
        {'params': [p for name, p in named if not is_decayed(name)], 'weight_decay': 0.0},
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g['params']], lr=lr, **ADAMW)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    curve = {'lr': [], 'loss': [], 'grad_norm': [], 'trained_tokens': []}
    for step in data:
        count = sum(trained_tokens(micro) for micro in step)
        total = 0.0
        for micro in step:
            loss = sum(sequence_loss(forward(model, sequence), sequence) for sequence in micro) / count
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in named], CLIP)
        curve['lr'].append(schedule.get_last_lr()[0])
        curve['loss'].append(total)
        curve['grad_norm'].append(norm.item())
        curve['trained_tokens'].append(count)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return curve


def document(lr: float, data: list[Step], curve: dict, exact: dict, **more) -> dict:
    return {
        'optimizer': {'name': 'adamw', 'lr': lr, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-8, 'weight_decay': 0.01},
        'no_decay': 'biases and norms',
        'schedule': {'name': 'linear', 'warmup_steps': WARMUP, 'steps': STEPS},
        'clip_norm': CLIP,
        **curve,
        'loss_float64': exact['loss'],
        'grad_norm_float64': exact['grad_norm'],
        **more,
        'steps': [[[{'ids': s.ids, 'labels': s.labels} for s in micro] for micro in step] for step in data],
    }


def make_lora() -> None:
    folder = OUT / 'train-20'
    lr, data = 1e-2, make_data(70)
    torch.manual_seed(71)
    model = get_peft_model(load_model(TINY), lora_config(target_modules=['q_proj', 'v_proj', 'down_proj'])).eval()
    save_adapter(model, folder / 'initial')
    exact = copy.deepcopy(model).double()
    curve = train(model, data, lr)
    save_adapter(model, folder / 'final')
    write_json(folder / 'curve.json', document(lr, data, curve, train(exact, data, lr)))
    report('lora', curve)


def make_full() -> None:
    lr, data = 3e-3, make_data(72)
    model, exact = load_model(TINY), load_model(TINY).double()
    curve = train(model, data, lr)
    exact_curve = train(exact, data, lr)
    norm, exact_norm = (
        torch.sqrt(sum(p.detach().double().square().sum() for p in m.parameters())).item() for m in (model, exact)
    )
    path = FIXTURES / 'llama-tiny' / 'train-full-20.json'
    write_json(path, document(lr, data, curve, exact_curve, final_norm=norm, final_norm_float64=exact_norm))
    report('full', curve)


def report(name: str, curve: dict) -> None:
    print(name, 'loss', round(curve['loss'][0], 4), '->', round(curve['loss'][-1], 4))


if __name__ == '__main__':
    make_lora()
    make_full()
