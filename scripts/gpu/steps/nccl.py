"""Every collective at world size 1; with NCCL 2.30 or newer also two ranks on the one GPU."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from runner.check import Check
from runner.machine import ROOT

ABOUT = 'every collective of NCCL, one rank; two where NCCL allows it'


def run(check: Check) -> dict[str, Any]:
    library = stand_in(check) if check.emulated else check.nccl
    if check.emulated and library is None:
        return {'status': 'skipped', 'reason': 'no stand-in for NCCL in this pack'}
    more = [*(['--small'] if check.emulated else []), *(['--nccl', str(library)] if library else [])]
    first = check.measure('ranks', *more, limit=60)
    runs = {'1 rank': first}
    name = str(first.rows[-1].get('library', '')) if first.rows else ''
    version = re.search(r'(\d+)\.(\d+)\.\d+', name)
    if version and (int(version[1]), int(version[2])) >= (2, 30):
        several = {'NCCL_MULTI_RANK_GPU_ENABLE': '1'}
        runs['2 ranks on one GPU'] = check.measure('ranks', '--ranks', '2', *more, limit=60, env=several)
    failed = any(not done.ok or not done.rows or done.rows[-1]['failed'] for done in runs.values())
    if failed:
        check.failed('nccl', '', check.node_command('ranks', *more))
    results = {name: done.result() for name, done in runs.items()}
    return {'status': 'failed' if failed else 'ok', 'library': str(library), 'runs': results}


def stand_in(check: Check) -> Path | None:
    source, out = ROOT / 'mock_nccl.cpp', check.scratch / 'libnccl.so.2'
    flags = ['-std=c++17', '-shared', '-fPIC', '-pthread', '-o', str(out), str(source)]
    return out if source.is_file() and check.run([os.environ.get('CXX', 'g++'), *flags], 60).ok else None
