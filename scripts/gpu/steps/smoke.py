"""The first ten seconds: what the machine has, every kernel by name, one launch, copies, a product of each kind."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from typing import Any

from runner.cases import Cases
from runner.check import Check, launch_env
from runner.machine import find_tool

ABOUT = 'facts, kernel inventory, one launch, copies, one product of each kind'
CASE_SECONDS = 30
MOST_SECONDS = 60


def run(check: Check) -> dict[str, Any]:
    found = facts(check)
    listing = check.measure('smoke', '--list', limit=30)
    names = listing.out.splitlines()
    if not listing.ok or not names:
        return {**listing.result(), 'status': 'failed', 'facts': found}
    cases, left = Cases(), check.window(MOST_SECONDS)

    def start(remaining, last, on_row):
        command = check.node_command('smoke', *remaining)
        return check.run(command, left(), launch_env(remaining[0]), on_row=on_row, silence=CASE_SECONDS)

    # Without a device nothing else is worth its time.
    first = [name for name in names if name in ('probe', 'open')]
    cases.run(first, start, left)
    opened = cases.results.get('open', {})
    if opened.get('status') != 'ok':
        check.no_device = str(opened.get('reason', opened.get('exit')))[:300]
        return {**cases.summary(), 'facts': found, 'answers': answers(cases)}
    rest = [name for name in names if name not in first]
    for waits in (True, False):
        cases.run([name for name in rest if bool(launch_env(name)) is waits], start, left)
    for name in cases.failed():
        check.failed('smoke', name, check.node_command('smoke', name))
    return {**cases.summary(), 'facts': found, 'answers': answers(cases)}


def answers(cases: Cases) -> dict[str, Any]:
    return {name: result['result'] for name, result in cases.results.items() if 'result' in result}


def facts(check: Check) -> dict[str, Any]:
    disk = shutil.disk_usage(check.scratch)
    found: dict[str, Any] = {
        'python': platform.python_version(),
        'executable': sys.executable,
        'cores': os.cpu_count(),
        'scratchFreeGiB': round(disk.free / 2**30, 1),
        'libraries': {name: check.env.get(name) for name in ('IFT_CUDA_LIB', 'VIRTUAL_ENV')} | {'nccl': str(check.nccl)},
    }
    # Without imports, which take seconds each.
    for package in ('torch', 'transformers', 'peft', 'nvidia-cublas', 'nvidia-nccl-cu13', 'nvidia-cudnn-cu13'):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    for name, command in {
        'gpu': ['nvidia-smi', '--query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm,power.limit', '--format=csv,noheader'],
        'nvcc': [find_tool('nvcc') or 'nvcc', '--version'],
        'compute-sanitizer': [find_tool('compute-sanitizer') or 'compute-sanitizer', '--version'],
        'node': [check.node or 'node', '--version'],
    }.items():
        done = check.run(command, 20)
        found[name] = done.out.strip() or done.err.strip() or done.exit
    return found
