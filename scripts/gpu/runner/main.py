"""The command line, and the steps one phase after the other."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .check import Check
from .machine import ROOT
from .plan import RESERVE, Plan, Result, Step, plan, text
from .summary import summary


def arguments(doc: str, words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    day = time.strftime('%Y-%m-%d', time.gmtime())
    parser.add_argument('--device', choices=('cuda', 'emulated'), default='cuda')
    parser.add_argument('--call', choices=('1', '2', 'all'), default='all', help='steps of the first run, of the second, or of both')
    parser.add_argument('--budget', type=float, default=330, help='seconds for everything (330)')
    parser.add_argument('--plan', action='store_true', help='shows the steps and their seconds, and runs nothing')
    parser.add_argument('--out', help='the JSON file; bench/results/gpu-DATE[-call].json by default')
    parser.add_argument('--only', help='steps to run, by comma')
    parser.add_argument('--skip', help='steps to leave out, by comma')
    parsed = parser.parse_args(words)
    call = '' if parsed.call == 'all' else f'-{parsed.call}'
    parsed.out = parsed.out or str(ROOT / f'bench/results/gpu-{day}{call}.json')
    return parsed


def chosen(steps: list[Step], only: str | None, skip: str | None) -> list[Step]:
    """The steps that are named; a name that begins with a step's name and a space names it too (`train` for all of them)."""
    wanted = only.split(',') if only else None
    unwanted = skip.split(',') if skip else []

    def is_named(step: Step, names: list[str]) -> bool:
        return any(step.name == name or step.name.startswith(f'{name} ') for name in names)

    for name in [*(wanted or []), *unwanted]:
        if not any(is_named(step, [name]) for step in steps):
            raise SystemExit(f'unknown step {name}: expected {", ".join(step.name for step in steps)}')
    return [step for step in steps if (wanted is None or is_named(step, wanted)) and not is_named(step, unwanted)]


def one_step(check: Check, step: Step) -> Result:
    begin = time.monotonic()
    try:
        if step.backend and check.no_device is not None:
            result: Result = {'status': 'skipped', 'reason': f'the backend opens no device: {check.no_device}'}
        else:
            result = step.run(check)
    except Exception as error:  # The other steps still count.
        result = {'status': 'failed', 'reason': f'{type(error).__name__}: {error}'}
        check.report.log(f'== {step.name}: {type(error).__name__}: {error}')
    result['stepSeconds'] = round(time.monotonic() - begin, 1)
    check.report.step(step.name, result)
    print(f'{result["status"]:8} {step.name} ({result["stepSeconds"]} s)', flush=True)
    return result


def run_all(check: Check, steps: list[Step]) -> list[str]:
    """Plans what is left with the time that is left, runs the first phase, and plans again. Names of required steps that failed."""
    remaining = list(steps)
    bad: list[str] = []
    while remaining:
        made: Plan = plan(remaining, check.left() + RESERVE)
        if not made.phases:
            break
        phase = made.phases[0]
        if any(step.measures for step in phase.steps):
            check.settle()
        with ThreadPoolExecutor(max_workers=len(phase.steps)) as pool:
            results = list(pool.map(lambda step: one_step(check, step), phase.steps))
        for step, result in zip(phase.steps, results):
            remaining.remove(step)
            if step.required and result['status'] == 'failed':
                bad.append(step.name)
    for step in remaining:
        reason = f'no time: needs {step.seconds:.0f} s, {max(0.0, check.left()):.0f} s are left'
        check.report.step(step.name, {'status': 'cut', 'reason': reason})
        print(f'{"cut":8} {step.name}: {reason}', flush=True)
    return bad


def main(doc: str) -> int:
    from steps import background, listed

    parsed = arguments(doc)
    steps = chosen(listed(parsed.call), parsed.only, parsed.skip)
    jobs = background(steps)
    if parsed.plan:
        print(text(plan(steps, parsed.budget), [(job.name, job.about, job.seconds) for job in jobs]))
        return 0
    if not (ROOT / 'app/run.mjs').is_file():
        raise SystemExit(f'{ROOT}/app/run.mjs is missing: scripts/gpu/pack gathers what this runs from')
    check = Check(parsed)
    try:
        for job in jobs:
            check.begin(job.name, job.run)
        bad = run_all(check, steps)
        for name in check.background:
            check.report.step(f'background {name}', check.wait_for(name))
        core = check.report.core(sorted(check.scratch.glob('core.*')))
        if core is not None:
            check.report.step('core', {'status': 'ok', 'file': core})
    finally:
        check.close()
    for line in check.report.finish(summary):
        print(line)
    out = Path(parsed.out)
    print(f'{out}: {len(bad)} failed{": " + ", ".join(bad) if bad else ""}')
    return 1 if bad else 0


