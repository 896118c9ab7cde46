"""Makes fixtures/optimizers.json: updates of torch's AdamW, transformers' Adafactor and Lion, and transformers' schedules.

    python scripts/reference/make_optimizers.py

Every optimizer gets the same parameters and the same 24 gradients, clipped to a norm of 1, with weight decay on matrices alone
and one parameter at four times the rate. Lion is Algorithm 2 of Chen et al. 2023 (arXiv:2302.06675), which neither package
has. Values have four decimals, so that both sides read the same f32.
"""

import json
import math
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    Adafactor,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

OUT = Path(__file__).resolve().parents[2] / 'fixtures' / 'optimizers.json'
SHAPES = {'wide': [6, 10], 'tall': [33, 4], 'row': [1, 7], 'norm': [12], 'fast': [5, 8]}
FAST = 4.0
STEPS = 24
KEPT = (1, 10, STEPS)
CLIP = 1.0
DECAY = 0.1


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {'lr': lr, 'betas': betas, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group['betas']
            for p in group['params']:
                m = self.state[p].setdefault('m', torch.zeros_like(p))
                c = beta1 * m + (1 - beta1) * p.grad
                p.copy_(p - group['lr'] * (torch.sign(c) + group['weight_decay'] * p))
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


def rounded(tensor):
    return [round(v, 4) for v in tensor.flatten().tolist()]


def shortest(tensor):
    return [float(f'{v:.9g}') for v in tensor.detach().flatten().tolist()]


def adafactor(**more):
    return lambda groups: Adafactor(groups, lr=1.0, relative_step=False, warmup_init=False, **more)


CASES = {
    'adamw': ({'name': 'adamw', 'beta2': 0.99}, 3e-3, lambda g: torch.optim.AdamW(g, betas=(0.9, 0.99), eps=1e-8)),
    'lion': ({'name': 'lion'}, 1e-3, lambda g: Lion(g, lr=1.0)),
    'lion, other betas': (
        {'name': 'lion', 'beta1': 0.95, 'beta2': 0.98},
        1e-3,
        lambda g: Lion(g, lr=1.0, betas=(0.95, 0.98)),
    ),
    'adafactor': ({'name': 'adafactor'}, 1e-2, adafactor(scale_parameter=False)),
    'adafactor, scaled by the parameter': (
        {'name': 'adafactor', 'scaleParameter': True},
        3e-2,
        adafactor(scale_parameter=True),
    ),
    'adafactor with a first moment': (
        {'name': 'adafactor', 'beta1': 0.9, 'decayRate': -0.7, 'clipThreshold': 0.5},
        1e-2,
        adafactor(scale_parameter=False, beta1=0.9, decay_rate=-0.7, clip_threshold=0.5),
    ),
}


def follow(build, rates, initial, gradients):
    parameters = {
        name: torch.nn.Parameter(torch.tensor(values).reshape(SHAPES[name])) for name, values in initial.items()
    }
    groups = [
        {
            'params': [p],
            'lr': 1.0,
            'weight_decay': DECAY if p.ndim > 1 else 0.0,
            'scale': FAST if name == 'fast' else 1.0,
        }
        for name, p in parameters.items()
    ]
    optimizer = build(groups)
    kept = {}
    norms = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group['lr'] = rates[step] * group['scale']
        for name, p in parameters.items():
            p.grad = torch.tensor(gradients[step][name]).reshape(SHAPES[name])
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP).item())
        optimizer.step()
        if step + 1 in KEPT:
            kept[step + 1] = {name: shortest(p) for name, p in parameters.items()}
    return kept, norms


def schedules():
    parameter = torch.nn.Parameter(torch.zeros(1))

    def course(build):
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        schedule: LambdaLR = build(optimizer)
        rates = []
        for _ in range(40):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        return rates

    wsd = {'num_warmup_steps': 4, 'num_decay_steps': 12, 'num_training_steps': 40}
    return {
        'linear': course(lambda o: get_linear_schedule_with_warmup(o, 4, 40)),
        'cosine': course(lambda o: get_cosine_schedule_with_warmup(o, 4, 40)),
        'constant': course(lambda o: get_constant_schedule_with_warmup(o, 4)),
        'wsd linear': course(lambda o: get_wsd_schedule(o, decay_type='linear', **wsd)),
        'wsd cosine': course(lambda o: get_wsd_schedule(o, decay_type='cosine', **wsd)),
        'wsd sqrt': course(lambda o: get_wsd_schedule(o, decay_type='1-sqrt', **wsd)),
    }


def main():
    torch.manual_seed(7)
    initial = {name: rounded(torch.randn(shape) * 0.3) for name, shape in SHAPES.items()}
    gradients = []
    for step in range(STEPS):
        # From far above the norm that clips to below it.
        size = 2.0 * math.exp(-step / 6)
        gradients.append({name: rounded(torch.randn(shape) * size) for name, shape in SHAPES.items()})
    cases = {}
    norms = []
    for title, (optimizer, peak, build) in CASES.items():
        rates = [peak * (1 - step / STEPS) for step in range(STEPS)]
        kept, norms = follow(build, rates, initial, gradients)
        cases[title] = {'optimizer': optimizer, 'rates': rates, 'parameters': kept}
    data = {
        'torch': torch.__version__,
        'transformers': __import__('transformers').__version__,
        'clipNorm': CLIP,
        'weightDecay': DECAY,
        'lrScale': {'fast': FAST},
        'shapes': SHAPES,
        'initial': initial,
        'gradients': gradients,
        'norms': [float(f'{norm:.9g}') for norm in norms],
        'cases': cases,
        'schedules': schedules(),
    }
    OUT.write_text(json.dumps(data, separators=(',', ':')) + '\n')


if __name__ == '__main__':
    main()
