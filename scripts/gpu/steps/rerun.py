"""What failed so far, once more and by itself: with launches waited for, then under memcheck."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runner.check import Check, Failure
from runner.machine import find_tool
from runner.process import Done

ABOUT = 'after a failure, at most 80 s: the failing cases alone, launches waited for, then memcheck'
MOST_SECONDS = 80
MOST_FAILURES = 8
# Of one program or one family of kernels; the others of it fail the same way.
MOST_OF_A_KIND = 2
SIDE_BY_SIDE = 3


def kind(failure: Failure) -> tuple[str, str]:
    return failure.step, failure.case.split(' ')[0]


def chosen(failures: list[Failure]) -> list[Failure]:
    taken: list[Failure] = []
    for failure in failures:
        alike = sum(kind(failure) == kind(other) for other in taken)
        if alike < MOST_OF_A_KIND and len(taken) < MOST_FAILURES:
            taken.append(failure)
    return taken


def run(check: Check) -> dict[str, Any]:
    failures = check.take_failures()
    if not failures:
        return {'status': 'ok', 'reason': 'nothing failed'}
    again = chosen(failures)
    # Whatever comes after it keeps most of the time.
    end = check.left() - min(MOST_SECONDS, check.left() / 2)
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        results = list(pool.map(lambda one: one_again(check, one[0], one[1], end), enumerate(again)))
    return {'status': 'ok', 'failures': len(failures), 'runAgain': results}


def one_again(check: Check, number: int, failure: Failure, end: float) -> dict[str, Any]:
    result: dict[str, Any] = {'step': failure.step, 'case': failure.case, 'command': failure.command}
    if check.left() - end < 2:
        return {**result, 'status': 'not run', 'reason': 'no time left'}
    products = check.scratch / f'cublas-{number}.log'
    env = {
        **failure.env,
        'CUDA_ENABLE_COREDUMP_ON_EXCEPTION': '1',
        'CUDA_ENABLE_LIGHTWEIGHT_COREDUMP': '1',
        'CUDA_COREDUMP_FILE': str(check.scratch / 'core.%p'),
        'CUBLASLT_LOG_LEVEL': '5',
        'CUBLASLT_LOG_FILE': str(products),
    }
    done = check.run(failure.command, min(40, check.left() - end), env)
    result |= {'alone': outcome(done)}
    if products.is_file():
        result['cublasLt'] = kept_log(check, products, failure)
    tool = find_tool('compute-sanitizer')
    if not failure.memcheck or check.emulated or tool is None or check.left() - end < 5:
        return result
    command = [tool, '--tool', 'memcheck', '--error-exitcode', '9', '--print-limit', '20', *failure.command]
    return {**result, 'memcheck': outcome(check.run(command, min(40, check.left() - end)))}


def outcome(done: Done) -> dict[str, Any]:
    """What it wrote, whether or not it passes now."""
    return {'status': 'ok' if done.ok else 'failed', 'seconds': round(done.seconds, 1), **done.ending()}


def kept_log(check: Check, file: Path, failure: Failure) -> str:
    """The end of cuBLASLt's log; more of it in the check's."""
    text = file.read_text(errors='replace')
    check.report.log(f'== cuBLASLt in {failure.step}, {failure.case}\n{text[-(512 << 10):]}')
    return text[-8000:]
