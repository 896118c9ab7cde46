"""Cases of a program, in processes that end without taking the other cases along.

A program runs its cases in order and writes a line of JSON at the end of each: {"case": NAME, "status": "ok" | "failed", …}.
Lines with a case and no status are failures within it. The case at which a process ends is named, and the rest starts anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .process import Done, ending

# Runs a program for the cases that are named, the last finished one before them; rows go to the function.
Start = Callable[[Sequence[str], str | None, Callable[[dict[str, Any]], None]], Done]

# Lines about failures within a case that are kept.
LINES = 8
TAIL = 2000
# Starts in a row that end before any case, after which a program is given up.
MOST_STARTS = 6
# Processes of a program in all: where every case breaks the device, the first of them say it.
MOST_RESTARTS = 20


class Cases:
    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.restarts = 0
        self.lock = threading.Lock()

    def run(self, names: Sequence[str], start: Start, left: Callable[[], float]) -> None:
        """Runs all of `names` in this order, in as many processes one after another as it takes."""
        remaining = list(names)
        last: str | None = None
        starts_without_a_case = restarts = 0
        while remaining:
            if left() < 1:
                self.note_all(remaining, {'status': 'not run', 'reason': 'the time was over'})
                return
            lines: list[dict[str, Any]] = []
            seen = 0

            def on_row(row: dict[str, Any]) -> None:
                nonlocal last, seen
                name = row.get('case')
                if not isinstance(name, str) or name not in remaining:
                    return
                if 'status' not in row:
                    lines.append(row)
                    return
                self.note(name, row, [line for line in lines if line['case'] == name])
                lines.clear()
                # Cases before it that have no line were not reached, and are not now: the program's order is the names'.
                del remaining[: remaining.index(name) + 1]
                last = name
                seen += 1

            done = start(tuple(remaining), last, on_row)
            if not remaining:
                return
            with self.lock:
                self.restarts += 1
            restarts += 1
            if restarts > MOST_RESTARTS:
                self.note_all(remaining, {'status': 'not run', 'reason': f'the program ended {restarts} times'})
                return
            if seen > 0 and done.exit in (0, 1, 3) and not lines:
                # It ended after a case that failed, by its own will.
                starts_without_a_case = 0
                if done.exit == 0:
                    self.note_all(remaining, {'status': 'not run', 'reason': 'the program ended without them'})
                    return
                continue
            starts_without_a_case = 0 if seen > 0 else starts_without_a_case + 1
            died = remaining.pop(0)
            if done.exit == 'timeout':
                # It was ended, and might have passed.
                self.note_all([died, *remaining], {'status': 'not run', 'reason': 'the time was over'})
                return
            result = {'status': 'died', 'reason': 'the process ended in it', 'exit': ending(done.exit)}
            result |= {'stderr': done.err[-TAIL:], 'output': done.out[-TAIL:]}
            self.note(died, result, lines)
            last = died
            if starts_without_a_case >= MOST_STARTS:
                reason = f'the program ended before any case, {MOST_STARTS} times in a row'
                self.note_all(remaining, {'status': 'not run', 'reason': reason})
                return

    def note(self, name: str, result: dict[str, Any], lines: Sequence[dict[str, Any]] = ()) -> None:
        kept = {key: value for key, value in result.items() if key != 'case'}
        if lines:
            kept['where'] = [{key: value for key, value in line.items() if key != 'case'} for line in lines[:LINES]]
        with self.lock:
            self.results[name] = kept

    def note_all(self, names: Sequence[str], result: dict[str, Any]) -> None:
        for name in names:
            self.note(name, result)

    def failed(self) -> list[str]:
        return [name for name, result in self.results.items() if result['status'] in ('failed', 'died')]

    def summary(self) -> dict[str, Any]:
        """For the report: counts, every case that did not pass, the slowest of the others."""
        count = {status: 0 for status in ('ok', 'failed', 'died', 'not run')}
        for result in self.results.values():
            count[result['status']] = count.get(result['status'], 0) + 1
        bad = {name: result for name, result in self.results.items() if result['status'] != 'ok'}
        good = [(name, result.get('seconds', 0)) for name, result in self.results.items() if result['status'] == 'ok']
        failed = count['failed'] + count['died'] > 0
        return {
            'status': 'failed' if failed else 'incomplete' if count['not run'] or not good else 'ok',
            'passed': count['ok'],
            'failed': count['failed'],
            'died': count['died'],
            'notRun': count['not run'],
            'restarts': self.restarts,
            'slowest': dict(sorted(good, key=lambda one: -one[1])[:5]),
            'cases': bad,
        }


def dealt(names: Sequence[str], workers: int) -> list[Sequence[str]]:
    """Deals cases out in turn, so that slow neighbours part."""
    return [names[i::workers] for i in range(workers) if names[i::workers]]


def side_by_side(parts: Sequence[Sequence[str]], work: Callable[[Sequence[str]], None]) -> None:
    """A worker for each part."""
    with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
        for future in [pool.submit(work, part) for part in parts]:
            future.result()
