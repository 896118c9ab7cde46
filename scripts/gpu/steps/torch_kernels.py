"""PyTorch's kernels at the same sizes, measured in the same way."""

from __future__ import annotations

from typing import Any

from runner.check import Check

ABOUT = "PyTorch's products and attention (FLASH and CUDNN by name) at the same sizes"


def run(check: Check) -> dict[str, Any]:
    done = check.python('torch_kernels.py', *(['--small', '--device', 'cpu'] if check.emulated else []), limit=90)
    if done.without_peer:
        return {'status': 'skipped', 'reason': 'no torch'}
    return done.result()
