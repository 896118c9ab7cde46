"""Greedy decoding, one sequence and sixteen, by recorded steps."""

from __future__ import annotations

from typing import Any

from runner.check import Check
from runner.plan import Step


def run(check: Check) -> dict[str, Any]:
    size = ['--model', 'tiny', '--tokens', '8', '--batch', '2'] if check.emulated else ['--tokens', '128', '--batch', '16']
    done = check.measure('decode', *size, limit=90)
    if not done.ok:
        check.failed('decode', 'recorded steps', check.node_command('decode', *size), memcheck=False)
    return done.result()


def step(value: int) -> Step:
    return Step('decode', 'tokens/s of greedy decoding, 1 and 16 sequences', 20, value, run, measures=True, backend=True, required=True)
