"""LoRA and QLoRA of rank 16 on LLaMA-7B's shape."""

from __future__ import annotations

from typing import Any

from runner.check import Check
from runner.plan import Step

TINY = ['--model', 'tiny', '--steps', '2', '--warmup', '1', '--rank', '4']
ABOUT = {
    '': 'tokens/s of a LoRA step',
    '--nf4': 'tokens/s of a QLoRA step',
    '--alpaca': "tokens/s at lengths like Alpaca's",
    '--profile': 'time of every kernel in a step',
}


def step(batch: int, seq: int, value: int, how: str = '') -> Step:
    name = f'train {batch}x{seq} {how.removeprefix("--")}'.strip()
    measured = how != '--profile'
    seconds = 25 if how == '--nf4' else 16

    def run(check: Check) -> dict[str, Any]:
        size = [*TINY, '--batch', '2', '--seq', '32'] if check.emulated else ['--batch', str(batch), '--seq', str(seq)]
        words = ['train', *size, *([how] if how else [])]
        done = check.measure(*words, limit=90)
        if not done.ok:
            if how == '--profile' and 'does not measure its kernels' in done.err:
                return {'status': 'skipped', 'reason': 'this backend does not measure its kernels'}
            check.failed(name, '', check.node_command(*words, '--steps', '1', '--warmup', '1'), memcheck=False)
        return done.result()

    return Step(name, ABOUT[how], seconds, value, run, measures=True, backend=True, required=measured)
