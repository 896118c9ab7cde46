"""Running a command with a limit: what it wrote line by line, how it ended."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

# Characters of each of the two streams that are kept.
KEPT = 4 << 20
# Characters of a stream in the report; the log has more.
TAIL = 4000


class Kept:
    """The end of a stream, by lines."""

    def __init__(self, most: int = KEPT) -> None:
        self.lines: deque[str] = deque()
        self.characters = 0
        self.most = most

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.characters += len(line)
        while self.characters > self.most and len(self.lines) > 1:
            self.characters -= len(self.lines.popleft())

    def text(self) -> str:
        return ''.join(self.lines)


@dataclass
class Done:
    """A command that ended."""

    command: list[str]
    # Exit status, the negative number of a signal, or 'timeout', 'silent' or 'not started'.
    exit: int | str
    seconds: float
    out: str
    err: str
    # Lines of its output that are JSON objects.
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.exit == 0

    @property
    def without_peer(self) -> bool:
        """It failed because this Python has not the packages of the peer."""
        return not self.ok and re.search(r"No module named '(torch|transformers|peft)'", self.err) is not None

    def result(self) -> dict[str, Any]:
        """For the report: the last row is what a measurement answers, `rows` those before it."""
        result: dict[str, Any] = {'status': 'ok' if self.ok else 'failed', 'seconds': round(self.seconds, 1)}
        if self.rows:
            result['result'] = self.rows[-1]
            if self.rows[:-1]:
                result['rows'] = self.rows[:-1]
        if not self.ok:
            result |= self.ending()
        return result

    def ending(self) -> dict[str, Any]:
        """How it failed."""
        return {'exit': ending(self.exit), 'stderr': self.err[-TAIL:], 'output': self.out[-TAIL:]}


def ending(exit: int | str) -> int | str:
    """An exit status for people: a signal by its name."""
    if isinstance(exit, int) and exit < 0:
        try:
            return signal.Signals(-exit).name
        except ValueError:
            return f'signal {-exit}'
    return exit


def stop(process: subprocess.Popen[str]) -> None:
    """Ends a process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(
    command: Sequence[str],
    limit: float,
    *,
    env: Mapping[str, str],
    cwd: Path,
    on_row: Callable[[dict[str, Any]], None] | None = None,
    silence: float | None = None,
) -> Done:
    """Runs a command for at most `limit` seconds. Rows go to `on_row` at once; it ends after `silence` seconds without one."""
    begin = time.monotonic()
    words = list(command)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        return Done(words, 'not started', 0.0, '', str(error))
    lines: queue.Queue[str | None] = queue.Queue()
    out, err = Kept(), Kept()

    def read(stream: IO[str], each: Callable[[str], None], end: Callable[[], None]) -> None:
        with stream:
            for line in stream:
                each(line)
        end()

    readers = [
        threading.Thread(target=read, args=(process.stdout, lines.put, lambda: lines.put(None)), daemon=True),
        threading.Thread(target=read, args=(process.stderr, err.add, lambda: None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    rows: list[dict[str, Any]] = []
    heard = begin
    exit: int | str | None = None
    while True:
        now = time.monotonic()
        until = begin + limit if silence is None else min(begin + limit, heard + silence)
        if now >= until:
            exit = 'timeout' if now >= begin + limit else 'silent'
            break
        try:
            line = lines.get(timeout=min(until - now, 1.0))
        except queue.Empty:
            continue
        if line is None:
            break
        out.add(line)
        row = parse(line)
        if row is not None:
            heard = time.monotonic()
            rows.append(row)
            if on_row is not None:
                on_row(row)
    if exit is None:
        try:
            # The output is closed: what is left is its end.
            exit = process.wait(timeout=max(0.1, begin + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            exit = 'timeout'
    stop(process)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        # It hangs in the driver, where no signal reaches it: the others go on.
        err.add('\nit does not end when killed\n')
    for reader in readers:
        reader.join(timeout=2)
    return Done(words, exit, time.monotonic() - begin, out.text(), err.text(), rows)


def parse(line: str) -> dict[str, Any] | None:
    """A line that is a JSON object."""
    if not line.startswith('{'):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
