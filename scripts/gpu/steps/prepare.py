"""Work of the processor beside the steps: test programs, weights, Python's packages in the cache of files."""

from __future__ import annotations

import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runner.check import Check
from runner.machine import CUDA, PROGRAMS as PACKED, capability, find_tool, nvcc_flags
from runner.process import Done

PROGRAMS = 'test programs as packed; nvcc compiles those that do not start'
WEIGHTS = 'writes the weights of the measured model'
IMPORTS = 'imports torch, transformers and peft once'


def programs(check: Check) -> dict[str, Any]:
    """Paths of the kernels' own tests by name, in `ready`."""
    tests = sorted((CUDA / 'tests').glob('*_test.cu'))
    if check.emulated:
        # Two small tests prove the step.
        tests = [test for test in tests if test.stem in ('emulator_test', 'rope_test')]
        words = os.environ.get('CXX', 'g++') + ' -x c++ -O1 -std=c++17 -march=native -ffp-contract=off -pthread -Wno-unknown-pragmas'
        return compiled(check, tests, shlex.split(words))
    number = capability()
    target = PACKED / 'target'
    packed_for = target.read_text().strip() if target.is_file() else None
    ready: dict[str, str] = {}
    refused: dict[str, Any] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        starts = {test: pool.submit(check.run, [str(PACKED / test.stem), '--list'], 20) for test in tests}
        for test, start in starts.items():
            done = start.result()
            if done.ok and packed_for == number:
                ready[test.stem] = str(PACKED / test.stem)
            else:
                why = done.ending() if not done.ok else f'packed for sm_{packed_for}, the GPU is of sm_{number}'
                refused[test.stem] = why
    left = [test for test in tests if test.stem not in ready]
    result: dict[str, Any] = {'status': 'ok', 'ready': ready, 'packedFor': packed_for, 'capability': number}
    if not left:
        return result
    nvcc = find_tool('nvcc')
    if nvcc is None:
        return {**result, 'status': 'failed', 'refused': refused, 'reason': 'some programs do not start, and there is no nvcc'}
    made = compiled(check, left, [nvcc, *nvcc_flags(number)])
    return {**result, **made, 'ready': {**ready, **made['ready']}, 'refused': refused}


def compiled(check: Check, tests: list[Path], compiler: list[str]) -> dict[str, Any]:
    def build(test: Path) -> tuple[Path, Done]:
        out = check.scratch / test.stem
        return out, check.run([*compiler, str(test), '-o', str(out)], 300)

    with ThreadPoolExecutor(max_workers=check.cores) as pool:
        built = dict(zip((test.stem for test in tests), pool.map(build, tests)))
    failed = {name: done.ending() for name, (_, done) in built.items() if not done.ok}
    ready = {name: str(path) for name, (path, done) in built.items() if done.ok}
    return {'status': 'failed' if failed else 'ok', 'ready': ready, 'notBuilt': failed}


def weights(check: Check) -> dict[str, Any]:
    model = 'tiny' if check.emulated else 'llama-7b'
    return check.measure('weights', '--model', model, limit=180, device='cpu').result()


def imports(check: Check) -> dict[str, Any]:
    code = 'import torch, transformers, peft'
    return check.run([sys.executable, '-c', code], 120).result()
