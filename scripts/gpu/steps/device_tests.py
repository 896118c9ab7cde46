"""The kernels' own tests, against float64 loops and at the sizes of 7B models; each twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runner.cases import Cases
from runner.check import Check

ABOUT = 'the kernels against float64 and at 7B sizes, each twice, every program a process'
CASE_SECONDS = 60
MOST_SECONDS = 120
# What most depends on fragment layouts and barriers comes first.
FIRST = ('attention_large_test', 'attention_test', 'attention_paged_test', 'norms_test', 'rows_test', 'quantize_test')


def by_value(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def run(check: Check) -> dict[str, Any]:
    programs = check.wait_for('programs')
    ready: dict[str, str] = programs.get('ready', {})
    if not ready:
        return {'status': 'failed', 'reason': 'no test program starts or was built', 'programs': programs}
    left = check.window(MOST_SECONDS)
    size = [] if check.emulated else ['big']

    def one(name: str) -> tuple[str, dict[str, Any], list[str]]:
        program = ready[name]
        listing = check.run([program, *size, '--list'], 30)
        names = listing.out.splitlines()
        if not listing.ok or not names:
            return name, {**listing.result(), 'status': 'failed', 'reason': 'it does not list its cases'}, []

        def start(remaining, last, on_row):
            after = [] if last is None else ['--after', last]
            return check.run([program, *size, *after], left(), on_row=on_row, silence=CASE_SECONDS)

        turns = []
        for _ in range(2):
            cases = Cases()
            cases.run(names, start, left)
            turns.append(cases)
        first, second = turns
        bad = list(dict.fromkeys([*first.failed(), *second.failed()]))
        summary = first.summary()
        status = {case: [turn.results.get(case, {}).get('status') for turn in turns] for case in bad}
        summary['second'] = {key: value for key, value in second.summary().items() if key not in ('slowest', 'cases')}
        # One that had no time in one of the turns says nothing.
        unstable = {case: both for case, both in status.items() if both[0] != both[1] and 'not run' not in both}
        summary['unstable'] = unstable
        for case in summary['unstable']:
            both = {'first': first.results.get(case), 'second': second.results.get(case)}
            summary['cases'][case] = {'status': 'failed', 'reason': 'it passes in one of two runs', **both}
        if second.failed():
            summary['status'] = 'failed'
        for case in bad:
            check.failed('device-tests', f'{name}: {case}', [program, *size, case])
        return name, summary, bad

    with ThreadPoolExecutor(max_workers=max(1, min(8, check.cores))) as pool:
        results = {name: summary for name, summary, _ in pool.map(one, by_value(list(ready)))}
    found = {result['status'] for result in results.values()}
    failed = programs['status'] == 'failed' or 'failed' in found
    return {'status': 'failed' if failed else 'incomplete' if 'incomplete' in found else 'ok', 'programs': programs, 'tests': results}
