"""What every step has at hand: the budget, the machine, commands, the report, what failed so far."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import process
from .machine import ROOT, environment, nccl
from .plan import RESERVE
from .process import Done
from .report import Report

Row = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A case that failed: how to run it once more by itself."""

    step: str
    # Empty where the step has no cases.
    case: str
    command: list[str]
    # Whether it is small enough for memcheck.
    memcheck: bool = True

    @property
    def env(self) -> dict[str, str]:
        return launch_env(self.case)


def launch_env(case: str) -> dict[str, str]:
    """Launches are waited for, so that an error has the name of its kernel; not while a graph is recorded, where none may be."""
    return {} if 'record' in case else {'CUDA_LAUNCH_BLOCKING': '1'}


class Check:
    def __init__(self, arguments: Namespace) -> None:
        self.arguments = arguments
        self.emulated: bool = arguments.device == 'emulated'
        self.began = time.monotonic()
        self.scratch = Path(tempfile.mkdtemp(prefix='ift-gpu-check-'))
        self.env = environment(self.scratch)
        self.nccl: Path | None = nccl()
        node = ROOT / 'node'
        self.node = str(node) if node.is_file() else shutil.which('node')
        commit = ROOT / 'commit'
        facts = {
            'date': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
            'commit': commit.read_text().strip() if commit.is_file() else None,
            'device': arguments.device,
            'call': arguments.call,
            'budget': arguments.budget,
        }
        places = {str(self.scratch): '$SCRATCH', str(ROOT): '$PACK'}
        # The system's own Python stands where its libraries are; the folder of an environment says nothing.
        if sys.prefix != sys.base_prefix:
            places[sys.prefix] = '$VENV'
        self.report = Report(Path(arguments.out).resolve(), facts, places)
        self.cores = os.cpu_count() or 4
        # Why the backend opens no device, once that is known.
        self.no_device: str | None = None
        self.failures: list[Failure] = []
        self.failures_lock = threading.Lock()
        self.pool = ThreadPoolExecutor(max_workers=8)
        self.background: dict[str, Future[Row]] = {}

    def left(self) -> float:
        """Seconds that a step may still take."""
        return self.arguments.budget - RESERVE - (time.monotonic() - self.began)

    def window(self, seconds: float) -> Callable[[], float]:
        """Seconds left of so many from now on, and of the budget: one step that is slow must not cost all the others."""
        end = time.monotonic() + seconds
        return lambda: min(self.left(), end - time.monotonic())

    def failed(self, step: str, case: str, command: Sequence[str], memcheck: bool = True) -> None:
        with self.failures_lock:
            self.failures.append(Failure(step, case, list(command), memcheck))

    def take_failures(self) -> list[Failure]:
        with self.failures_lock:
            taken, self.failures = self.failures, []
        return taken

    # Commands.

    def run(
        self,
        command: Sequence[str],
        limit: float = 120,
        env: Mapping[str, str] | None = None,
        on_row: Callable[[Row], None] | None = None,
        silence: float | None = None,
    ) -> Done:
        limit = min(limit, self.left())
        if limit < 1:
            return Done(list(command), 'timeout', 0.0, '', 'no time left', [])
        whole = {**self.env, **(env or {})}
        done = process.run(command, limit, env=whole, cwd=self.scratch, on_row=on_row, silence=silence)
        clock = f'{time.monotonic() - self.began:.1f}'
        changed = ' '.join(f'{name}={value}' for name, value in (env or {}).items())
        self.report.log(
            f'== {clock} s: {changed} {" ".join(done.command)[:2000]}\n'
            f'== {process.ending(done.exit)} after {done.seconds:.1f} s\n'
            f'{done.out[-(256 << 10):]}{"-- stderr" if done.err else ""}\n{done.err[-(256 << 10):]}'
        )
        return done

    def node_command(self, *words: str, device: str | None = None) -> list[str]:
        """The measurements in TypeScript."""
        return [self.node or 'node', str(ROOT / 'app/run.mjs'), *words, '--device', device or self.arguments.device]

    def measure(self, *words: str, limit: float = 120, device: str | None = None, env: Mapping[str, str] | None = None) -> Done:
        return self.run(self.node_command(*words, device=device), limit, env)

    def python(self, file: str, *words: str, limit: float = 120) -> Done:
        return self.run([sys.executable, str(ROOT / 'bench/gpu' / file), *words], limit)

    # Work of the processor beside the steps.

    def begin(self, name: str, work: Callable[[Check], Row]) -> None:
        def timed() -> Row:
            begin = time.monotonic()
            result = work(self)
            return {**result, 'stepSeconds': round(time.monotonic() - begin, 1)}

        self.background[name] = self.pool.submit(timed)

    def settle(self) -> None:
        """Waits until the work beside the steps is done, or for a minute: a compiler that takes longer disturbs less than it costs."""
        wait(self.background.values(), timeout=max(0.1, min(60.0, self.left())))

    def wait_for(self, name: str) -> Row:
        """The result of background work, which is waited for."""
        work = self.background.get(name)
        if work is None:
            return {'status': 'skipped', 'reason': f'{name} was not begun'}
        try:
            return work.result(timeout=max(0.1, self.left()))
        except TimeoutError:
            return {'status': 'failed', 'reason': f'{name} did not end in time'}
        except Exception as error:  # What waits for it says so in its own result.
            return {'status': 'failed', 'reason': f'{type(error).__name__}: {error}'}

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
