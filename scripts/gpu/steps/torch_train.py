"""The peer: transformers and PEFT on the same shapes, one process for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.check import Check
from runner.plan import Step

# Batch, length, and '', 'checkpointing' or 'alpaca'.
Run = tuple[int, int, str]


def label(run: Run) -> str:
    batch, seq, how = run
    return f'{batch}x{seq}' + (f'+{how}' if how else '')


def step(name: str, runs: Sequence[Run], value: int) -> Step:
    def run(check: Check) -> dict[str, Any]:
        tiny = ['--model', 'tiny', '--steps', '1', '--warmup', '1', '--rank', '4', '--device', 'cpu']
        model = tiny if check.emulated else []
        # What is run for each; in a dry run the same for several.
        wanted = {label(run): label((2, 32, run[2]) if check.emulated else run) for run in runs}
        done = check.python('torch_train.py', *model, *dict.fromkeys(wanted.values()), limit=200)
        if done.without_peer:
            return {'status': 'skipped', 'reason': 'no torch, transformers or peft'}
        result: dict[str, Any] = {'status': 'ok' if done.ok else 'failed', 'seconds': round(done.seconds, 1)}
        # Each run is a line: those before a failure count.
        rows = {row['run']: row for row in done.rows if 'run' in row}
        result['runs'] = {name: rows[text] for name, text in wanted.items() if text in rows}
        if not done.ok:
            result |= done.ending()
        return result

    names = ', '.join(label(run) for run in runs)
    # Imports and the model, then each run.
    return Step(name, f'the peer (transformers, PEFT): {names}', 16 + 8 * len(runs), value, run, measures=True)
