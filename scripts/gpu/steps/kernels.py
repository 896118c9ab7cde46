"""Times of the kernels at LLaMA-7B's sizes."""

from __future__ import annotations

from typing import Any

from runner.check import Check

ABOUT = "TFLOP/s and GB/s of the kernels at LLaMA-7B's sizes"


def run(check: Check) -> dict[str, Any]:
    words = ['kernels', *(['--small'] if check.emulated else [])]
    done = check.measure(*words, limit=90)
    if not done.ok:
        check.failed('kernels', 'recorded', check.node_command(*words), memcheck=False)
    result = done.result()
    # A kernel that could not be timed is a row with its error.
    if result.get('result', {}).get('failed', 1):
        result['status'] = 'failed'
    return result
