"""Makes fixtures/peft-adalora: AdaLoRA adapters written by PEFT, with logits, loss, penalty and gradients, and a run of 60 steps.

    python scripts/reference/make_llama.py
    python scripts/reference/make_bloom.py
    python scripts/reference/make_peft_adalora.py

Every adapter is filled with random numbers (so E is not zero). golden.safetensors has besides the usual
  penalty             f32 [1]   orth_reg_weight times the mean of the norms, which PEFT adds to the loss; `loss` is without it
  penalty_grad.<name> f32       its gradient
  merged.<name>       f32       weights after merge_and_unload that the merge changed

train-60: `initial` and `final` as PEFT saves them, run.json with the data, the numbers of each step and every mask, and
values.safetensors with E [steps, layers, r] after each step. The run is made in float64 too, and must make the same masks there.
"""

import copy
import random
import sys
from pathlib import Path

import torch
from peft import AdaLoraConfig, PeftModel, get_peft_model

from make_peft_lora import adapter_gradients, save_adapter
from tiny_llama import (
    FIXTURES,
    Sequence,
    forward,
    golden,
    load_any,
    random_sequences,
    sequence_loss,
    trained_tokens,
    write_json,
    write_tensors,
)

OUT = FIXTURES / 'peft-adalora'
TINY = FIXTURES / 'llama-tiny'
BIAS = FIXTURES / 'llama-variants' / 'tied-bias'
WIDE_HEADS = FIXTURES / 'llama-variants' / 'head-dim'
BLOOM = FIXTURES / 'bloom' / 'tiny'

VARIANTS = {
    'llama': (TINY, {'init_r': 5, 'target_r': 3, 'target_modules': ['q_proj', 'v_proj', 'down_proj']}),
    'biases': (BIAS, {'init_r': 3, 'target_r': 1, 'target_modules': 'all-linear', 'bias': 'lora_only', 'lora_alpha': 3}),
    'bloom': (BLOOM, {'init_r': 6, 'target_r': 2}),
    # What PEFT ignores.
    'ignored': (WIDE_HEADS, {'r': 3, 'use_rslora': True, 'alpha_pattern': {'q_proj': 99}, 'target_modules': ['q_proj']}),
    'pruned': (WIDE_HEADS, {'init_r': 7, 'target_r': 2, 'target_modules': ['q_proj', 'v_proj', 'down_proj']}),
}

STEPS = 60
CLIP = 0.8
LR = 2e-2
ADAMW = {'betas': (0.9, 0.999), 'eps': 1e-8, 'weight_decay': 0.01}
SCHEDULE = {'init_r': 6, 'target_r': 3, 'tinit': 7, 'tfinal': 15, 'deltaT': 4, 'beta1': 0.85, 'beta2': 0.85}


def adalora(**changes) -> AdaLoraConfig:
    return AdaLoraConfig(
        **{'lora_alpha': 16, 'total_step': 100, 'task_type': 'CAUSAL_LM', 'orth_reg_weight': 0.5, **changes}
    )


def penalty_of(model: PeftModel) -> torch.Tensor:
    """The term of the loss, with its gradient, checked against what PEFT adds to a loss."""
    factors = [(n, p) for n, p in model.named_parameters() if '.lora_A.' in n or '.lora_B.' in n]
    grams = [p @ p.T if '.lora_A.' in n else p.T @ p for n, p in factors]
    norms = [torch.linalg.matrix_norm(gram - torch.eye(len(gram), dtype=gram.dtype)) for gram in grams]
    return model.peft_config['default'].orth_reg_weight * sum(norms) / len(norms)


def check_penalty(model: PeftModel) -> None:
    [sequence] = random_sequences(5, [9], model.config.vocab_size, [1])
    out = model(input_ids=torch.tensor([sequence.ids]), labels=torch.tensor([sequence.labels]))
    plain = sequence_loss(out.logits[0], sequence) / trained_tokens([sequence])
    difference = (out.loss - plain - penalty_of(model)).abs().item()
    if difference > 1e-5:
        sys.exit(f'the penalty differs from what PEFT adds by {difference}')


def randomise(model: PeftModel, seed: int) -> None:
    """A and B N(0, 0.25), E N(0, 1), biases moved by N(0, 0.1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'lora_E' in name:
                parameter.copy_(noise)
            elif 'lora_A' in name or 'lora_B' in name:
                parameter.copy_(0.25 * noise)
            elif parameter.requires_grad:
                parameter.add_(0.1 * noise)


def prune(model: PeftModel) -> None:
    """Masks of every kind: all, some, one and no singular value kept."""
    generator = torch.Generator().manual_seed(1)
    masks = {}
    parameters = [(name, p) for name, p in model.named_parameters() if '.lora_E.' in name]
    for i, (name, parameter) in enumerate(parameters):
        kept = [7, 3, 0, 5, 1, 4][i]
        mask = torch.zeros(7, dtype=torch.bool)
        mask[torch.randperm(7, generator=generator)[:kept]] = True
        with torch.no_grad():
            parameter.masked_fill_(~mask[:, None], 0)
        masks[name.removeprefix('base_model.model.')] = mask.tolist()
    model.peft_config['default'].rank_pattern = masks


def sequences(vocab: int):
    return random_sequences(3, [9, 15, 6], vocab, [3, 6, 1])


def named_gradients(model: PeftModel, prefix: str) -> dict[str, torch.Tensor]:
    for parameter in model.parameters():
        # What a layer of rank 0 has.
        if parameter.requires_grad and parameter.grad is None and parameter.numel() == 0:
            parameter.grad = torch.zeros_like(parameter)
    found = adapter_gradients(model)
    return {name.replace('grad.', prefix, 1): grad.clone() for name, grad in found.items() if grad.numel()}


def make_variant(name: str, base: Path, seed: int, settings: dict) -> None:
    folder = OUT / name
    torch.manual_seed(seed)
    plain = load_any(base)
    model = get_peft_model(load_any(base), adalora(**settings)).eval()
    if name != 'pruned':
        check_penalty(model)
    randomise(model, seed)
    if name == 'pruned':
        prune(model)
    save_adapter(model, folder)
    saved = PeftModel.from_pretrained(load_any(base), folder, is_trainable=True).eval()
    data = sequences(plain.config.vocab_size)
    with torch.no_grad():
        moved = (golden(model, data)['logits'] - golden(plain, data)['logits']).abs().max().item()
        apart = (golden(model, data)['logits'] - golden(saved, data)['logits']).abs().max().item()
    if moved < 0.5 or apart > 1e-5:
        sys.exit(f'{name}: the logits move by {moved}, and loaded again they are {apart} apart')
    tensors = golden(saved, data)
    tensors |= named_gradients(saved, 'grad.')
    saved.zero_grad()
    penalty = penalty_of(saved)
    penalty.backward()
    for parameter in saved.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    of_penalty = named_gradients(saved, 'penalty_grad.')
    tensors |= {key: grad for key, grad in of_penalty.items() if key.endswith(('lora_A', 'lora_B'))}
    tensors['penalty'] = penalty.detach()[None]
    paths = [n.removesuffix('.lora_A.default').removeprefix('base_model.model.') for n, _ in saved.named_parameters() if 'lora_A' in n]
    merged = saved.merge_and_unload()
    weights = dict(merged.named_parameters())
    write_tensors(
        folder / 'golden.safetensors',
        {**tensors, **{f'merged.{path}.weight': weights[f'{path}.weight'] for path in paths[:2]}},
    )
    print(name, 'moves logits by', round(moved, 2), 'penalty', round(penalty.item(), 4))


def make_data(seed: int, vocab: int) -> list[list[list[Sequence]]]:
    """Steps of two micro-batches of two sequences, drawn from a pool of 10, so that the loss can fall."""
    source = random.Random(seed)
    pool = []
    for length in (5, 8, 9, 12, 14, 15, 17, 20, 23, 26):
        ids = [1] + [source.randrange(3, vocab) for _ in range(length - 2)] + [2]
        start = source.randrange(1, length - 2)
        pool.append(Sequence(ids, [-100] * start + ids[start:]))
    return [[source.sample(pool, 2) for _ in range(2)] for _ in range(STEPS)]


def train(model: PeftModel, data, margins: list[float]) -> dict:
    tuner = model.base_model
    trained = [p for p in model.parameters() if p.requires_grad]
    values = [p for n, p in model.named_parameters() if '.lora_E.' in n]
    optimizer = torch.optim.AdamW(trained, lr=LR, **ADAMW)
    run = {'loss': [], 'penalty': [], 'grad_norm': [], 'masks': [], 'E': []}
    allocator = tuner.rankallocator
    kth = torch.kthvalue

    def watched(scores, k):
        ordered = scores.sort().values
        if not (scores.sum() > 0 and 0 < k < len(scores)):
            sys.exit('a mask without scores')
        margins.append(((ordered[k] - ordered[k - 1]) / ordered[k]).item())
        return kth(scores, k)

    for step, micros in enumerate(data, start=1):
        count = sum(trained_tokens(micro) for micro in micros)
        total = 0.0
        for micro in micros:
            loss = sum(sequence_loss(forward(model, sequence), sequence) for sequence in micro) / count
            loss.backward()
            total += loss.item()
        penalty = penalty_of(model)
        penalty.backward()
        run['grad_norm'].append(torch.nn.utils.clip_grad_norm_(trained, CLIP).item())
        run['loss'].append(total + penalty.item())
        run['penalty'].append(penalty.item())
        optimizer.step()
        torch.kthvalue = watched
        before = len(margins)
        tuner.update_and_allocate(step)
        torch.kthvalue = kth
        if len(margins) > before:
            pattern = model.peft_config['default'].rank_pattern
            budget, _ = allocator.budget_schedule(step)
            run['masks'].append({'step': step, 'budget': budget, 'kept': [[int(k) for k in mask] for mask in pattern.values()]})
        optimizer.zero_grad()
        run['E'].append(torch.stack([p.detach()[:, 0] for p in values]).clone())
    return run


def make_run() -> None:
    folder = OUT / 'train-60'
    data = make_data(80, 48)
    torch.manual_seed(81)
    config = adalora(target_modules=['q_proj', 'v_proj', 'down_proj'], total_step=STEPS, lora_alpha=24, **SCHEDULE)
    model = get_peft_model(load_any(WIDE_HEADS), config).eval()
    save_adapter(model, folder / 'initial')
    exact = copy.deepcopy(model).double()
    names = [n.removeprefix('base_model.model.').removesuffix('.lora_E.default') for n, _ in model.named_parameters() if '.lora_E.' in n]
    margins: list[float] = []
    run, reference = train(model, data, margins), train(exact, data, margins)
    if run['masks'] != reference['masks']:
        sys.exit('float32 and float64 make other masks')
    values = torch.stack(run.pop('E'))
    far = (values - torch.stack(reference.pop('E'))).abs().max().item()
    save_adapter(model, folder / 'final')
    write_tensors(folder / 'values.safetensors', {'E': values})
    write_json(
        folder / 'run.json',
        {
            'optimizer': {'lr': LR, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-8, 'weight_decay': 0.01},
            'clip_norm': CLIP,
            'layers': names,
            **run,
            'loss_float64': reference['loss'],
            'steps': [[[{'ids': s.ids, 'labels': s.labels} for s in micro] for micro in step] for step in data],
        },
    )
    ranks = [sum(mask) for mask in run['masks'][-1]['kept']]
    print('loss', round(run['loss'][0], 3), '->', round(run['loss'][-1], 3), 'clipped', sum(n > CLIP for n in run['grad_norm']))
    print('masks at', [(m['step'], m['budget']) for m in run['masks']], 'ranks', ranks)
    print('smallest margin of a threshold', f'{min(margins):.1e}', 'E apart from float64 by', f'{far:.1e}')


if __name__ == '__main__':
    for seed, (name, (base, settings)) in enumerate(VARIANTS.items(), start=100):
        make_variant(name, base, seed, settings)
    make_run()
