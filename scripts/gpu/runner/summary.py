"""What a person reads first: the failures with their first cases, and the rates beside the peer's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Steps = dict[str, dict[str, Any]]
# Of a step, and of a reason.
REASONS, CASES = 6, 3
WIDTH = 200


def summary(steps: Steps) -> list[str]:
    return [*failures(steps), *rates(steps), *beside_torch(steps)]


def failures(steps: Steps) -> Iterator[str]:
    for name, result in steps.items():
        if result.get('status') == 'incomplete':
            yield f'incomplete: {name}'
        if result.get('status') != 'failed':
            continue
        yield f'failed: {name}{first_line(result)}'
        # Cases with one reason stand on one line.
        reasons: dict[str, list[str]] = {}
        for case, why in cases(result):
            reasons.setdefault(first_line(why), []).append(case)
        for reason, alike in list(reasons.items())[:REASONS]:
            more = f' and {len(alike) - CASES} more' if len(alike) > CASES else ''
            yield f'  {", ".join(alike[:CASES])}{more}{reason}'
        if len(reasons) > REASONS:
            yield f'  and {len(reasons) - REASONS} other reasons'


def cases(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Failing cases of a step, its programs' or its runs'."""
    for key in ('cases', 'tests', 'runs'):
        for name, one in (result.get(key) or {}).items():
            if not isinstance(one, dict) or one.get('status') in ('ok', 'skipped', 'not run', 'incomplete'):
                continue
            inner = [(f'{name}: {case}', why) for case, why in cases(one)]
            yield from inner or [(name, one)]


def first_line(result: dict[str, Any]) -> str:
    """Why, in one line."""
    places = result.get('where') or [None]
    why = result.get('reason') or places[0] or last_line(result.get('stderr') or '') or result.get('exit')
    return '' if why is None else ': ' + ' '.join(str(why).split())[:WIDTH]


def last_line(text: str) -> str:
    """The line of an error that says what it is: Node writes its stack behind it, Python before it."""
    lines = text.strip().splitlines()
    named = [line for line in lines if re.match(r'(\w+\.)*\w*(Error|Exception)\b', line)]
    return named[-1] if named else lines[-1] if lines else ''


def rates(steps: Steps) -> Iterator[str]:
    """Tokens a second by shape; the peer's with and without checkpointing, and the better of the two as a ratio."""
    peers: dict[str, dict[str, Any]] = {}
    for name, result in steps.items():
        if name.startswith('torch-train'):
            peers |= result.get('runs', {})
    for name, result in steps.items():
        row = result.get('result') or {}
        if not name.startswith('train ') or 'tokensPerS' not in row or row.get('profiled'):
            continue
        label = name.removeprefix('train ').replace(' ', '+')
        beside = [peers.get(one, {}) for one in (label, f'{label}+checkpointing')]
        shown = [str(one.get('tokensPerS', one.get('error', '')[:20])) for one in beside if one]
        best = max((one['tokensPerS'] for one in beside if 'tokensPerS' in one), default=None)
        ratio = '' if not best else f', ratio {row["tokensPerS"] / best:.2f}'
        peer = f', peer {" / ".join(shown)}' if shown else ''
        yield f'{name}: {row["tokensPerS"]} tokens/s, mfu {row["mfu"]}, {row["peakMiB"]} MiB{peer}{ratio}'
    for row in (steps.get('decode', {}).get('result') or {}).get('results', []):
        yield f'decode, batch {row["batch"]}: {row["tokensPerS"]} tokens/s'


def beside_torch(steps: Steps) -> Iterator[str]:
    """Kernels that PyTorch has too, by the best of its backends."""
    best: dict[tuple[str, str], float] = {}
    for row in steps.get('torch-kernels', {}).get('rows', []):
        if 'ms' in row:
            key = (row['kernel'], row['shape'])
            best[key] = min(row['ms'], best.get(key, row['ms']))
    for row in steps.get('kernels', {}).get('rows', []):
        theirs = best.get((row.get('kernel', ''), row.get('shape', '')))
        if theirs is not None and 'ms' in row:
            yield f'{row["kernel"]} {row["shape"]}: {row["ms"]} ms, torch {theirs} ms, ratio {theirs / row["ms"]:.2f}'
