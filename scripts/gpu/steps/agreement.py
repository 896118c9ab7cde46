"""The same LoRA run on the device, on the CPU and, in float32, by PEFT: losses agree."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runner.check import Check
from runner.process import Done

ABOUT = 'losses of a LoRA run beside the CPU, f32 and bf16, and beside PEFT'
WORDS = ['train', '--model', 'tiny', '--batch', '2', '--seq', '32', '--steps', '3', '--warmup', '1', '--rank', '4']
# Largest difference of a loss.
LIMITS = {'f32': 1e-3, 'bf16': 2e-2}


def losses(done: Done) -> list[float]:
    """What a run printed; a loss that is no number stands there as null."""
    return [math.nan if loss is None else float(loss) for loss in done.rows[-1]['losses']]


def compared(here: Done, there: Done, limit: float) -> dict[str, Any]:
    try:
        pairs = list(zip(losses(here), losses(there), strict=True))
    except (IndexError, KeyError, TypeError, ValueError):
        wrong = there if here.ok else here
        return {'status': 'failed', 'stderr': wrong.err[-2000:], 'device': here.result(), 'other': there.result()}
    apart = [abs(a - b) for a, b in pairs]
    # Not a number is no agreement, and no largest difference either.
    agrees = bool(apart) and all(one <= limit for one in apart)
    worst = max((one for one in apart if not math.isnan(one)), default=None)
    return {'status': 'ok' if agrees else 'failed', 'worst': worst, 'limit': limit, 'losses': pairs}


def run(check: Check) -> dict[str, Any]:
    kept = check.scratch / 'agreement'
    words = {dtype: [*WORDS, '--dtype', dtype] for dtype in LIMITS}
    # Once for all that run side by side.
    model = check.measure('weights', '--model', 'tiny', limit=60, device='cpu')
    with ThreadPoolExecutor(max_workers=4) as pool:
        keep = {'f32': ['--keep', str(kept)], 'bf16': []}
        here = {dtype: pool.submit(check.measure, *words[dtype], *keep[dtype], limit=60) for dtype in LIMITS}
        there = {dtype: pool.submit(check.measure, *words[dtype], limit=60, device='cpu') for dtype in LIMITS}
        peft = with_peft(check, here['f32'].result(), model, kept)
        runs = {dtype: compared(here[dtype].result(), there[dtype].result(), LIMITS[dtype]) for dtype in LIMITS}
    for dtype, compared_run in runs.items():
        if compared_run['status'] == 'failed':
            check.failed('agreement', dtype, check.node_command(*words[dtype]))
    runs['peft'] = peft
    failed = any(one['status'] == 'failed' for one in runs.values())
    return {'status': 'failed' if failed else 'ok', 'runs': runs}


def with_peft(check: Check, here: Done, model: Done, kept: Any) -> dict[str, Any]:
    """The same run once more by transformers and PEFT, from the same adapter."""
    if not here.ok or not model.ok:
        return {'status': 'failed', 'reason': 'the run on the device left no adapter', 'weights': model.result()}
    folder = str(model.rows[-1]['folder'])
    words = ['--weights', folder, '--kept', str(kept), '--steps', '4', '--batch', '2']
    there = check.python('torch_agreement.py', *words, *(['--device', 'cpu'] if check.emulated else []))
    if there.without_peer:
        return {'status': 'skipped', 'reason': 'no torch, transformers or peft'}
    return compared(here, there, LIMITS['f32'])
