"""compute-sanitizer over the kernels' own small tests, until the time is over."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runner.check import Check
from runner.machine import find_tool
from runner.plan import Step

from .device_tests import by_value

SIDE_BY_SIDE = 4
LIMIT = 90


def step(tools: Sequence[str], value: int) -> Step:
    def run(check: Check) -> dict[str, Any]:
        tool = find_tool('compute-sanitizer')
        if check.emulated or tool is None:
            return {'status': 'skipped', 'reason': 'a dry run' if check.emulated else 'no compute-sanitizer'}
        ready: dict[str, str] = check.wait_for('programs').get('ready', {})

        def one(job: tuple[str, str]) -> tuple[str, dict[str, Any]]:
            which, name = job
            label = f'{which} {name}'
            if check.left() < 5:
                return label, {'status': 'not run', 'reason': 'no time left'}
            # A program of big cases alone has none here.
            if not check.run([ready[name], 'small', '--list'], 20).out.strip():
                return label, {'status': 'skipped', 'reason': 'no small case'}
            command = [tool, '--tool', which, '--error-exitcode', '9', '--print-limit', '20', ready[name], 'small']
            done = check.run(command, LIMIT)
            result = {'status': 'ok' if done.ok else 'failed', 'seconds': round(done.seconds, 1)}
            if done.exit == 'timeout':
                # Nothing was found until then.
                return label, {**result, 'status': 'not ended', 'cases': len(done.rows), 'output': done.out[-2000:]}
            return label, result if done.ok else {**result, **done.ending()}

        jobs = [(which, name) for which in tools for name in by_value(list(ready))]
        with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
            results = dict(pool.map(one, jobs))
        failed = any(result['status'] == 'failed' for result in results.values())
        return {'status': 'failed' if failed or not results else 'ok', 'tests': results}

    about = f'{" then ".join(tools)} of the small tests, attention first, until the time is over'
    return Step('sanitizer', about, 30, value, run, required=True, fills=True)
