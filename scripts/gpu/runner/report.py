"""The files that come back: one JSON, one log, at most one core, each below a bound."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MOST = 16 << 20
# Below it, so that a last line fits.
LOG_MOST = MOST - (1 << 20)
# Characters of a line of the JSON.
WIDTH = 220
# Longest text of one value to begin with.
TEXT = 16_000


def shorten(value: Any, text: int, items: int) -> Any:
    """A copy whose texts have at most `text` characters and whose lists `items` entries; both say what was left out."""
    if isinstance(value, str):
        if len(value) <= text:
            return value
        head, tail = text // 3, text - text // 3
        return f'{value[:head]}\n… {len(value) - head - tail} characters left out …\n{value[-tail:]}'
    if isinstance(value, dict):
        return {key: shorten(one, text, items) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        kept = [shorten(one, text, items) for one in value[:items]]
        return kept if len(value) <= items else [*kept, f'… {len(value) - items} entries left out …']
    return value


def pretty(value: Any, indent: int = 0) -> str:
    """JSON in which what fits on a line stands on one: a row of a table is a line."""
    line = json.dumps(value)
    if not isinstance(value, (dict, list)) or len(line) + indent <= WIDTH or not value:
        return line
    space = ' ' * (indent + 1)
    if isinstance(value, dict):
        parts = [f'{space}{json.dumps(key)}: {pretty(one, indent + 1)}' for key, one in value.items()]
    else:
        parts = [space + pretty(one, indent + 1) for one in value]
    opening, closing = ('{', '}') if isinstance(value, dict) else ('[', ']')
    return opening + '\n' + ',\n'.join(parts) + '\n' + ' ' * indent + closing


def bounded(report: dict[str, Any], most: int = MOST) -> str:
    """The report as JSON of at most `most` bytes: long texts are shortened first, then long lists."""
    text, items = TEXT, 100_000
    while True:
        made = pretty(shorten(report, text, items)) + '\n'
        if len(made) <= most or (text <= 100 and items <= 4):
            return made
        if text > 500:
            text //= 2
        else:
            text, items = max(text // 2, 100), max(4, min(items, 4096) // 2)


class Report:
    def __init__(self, out: Path, facts: dict[str, Any], places: Mapping[str, str] | None = None) -> None:
        """`places`: folders of this run alone, and how the file names them, so that files of two runs compare."""
        self.out = out
        self.places = dict(places or {})
        self.log_file = out.with_suffix('.log')
        self.core_file = out.with_suffix('.core.gz')
        self.facts = facts
        self.steps: dict[str, Any] = {}
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.log_bytes = 0
        out.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.write_bytes(b'')

    def step(self, name: str, result: dict[str, Any]) -> None:
        """Adds a step and writes the file, so that nothing is lost with the machine."""
        with self.lock:
            self.steps[name] = result
            self.write()

    def finish(self, summary: Callable[[dict[str, Any]], list[str]]) -> list[str]:
        """Puts a summary of the steps at the head of the file."""
        with self.lock:
            lines = summary(self.steps)
            if self.facts.get('device') == 'emulated':
                lines = ['a dry run with tiny sizes: its rates say nothing of a GPU', *lines]
            self.facts['summary'] = lines
            self.write()
        return lines

    def write(self) -> None:
        whole = {**self.facts, 'seconds': round(time.monotonic() - self.began, 1), 'steps': self.steps}
        partial = self.out.with_suffix('.partial')
        text = bounded(whole)
        for folder, name in self.places.items():
            text = text.replace(folder, name)
        partial.write_text(text)
        partial.replace(self.out)

    def log(self, text: str) -> None:
        """Appends to the log; past its bound the middle is left out."""
        data = (text.rstrip('\n') + '\n').encode(errors='replace')
        with self.lock:
            with self.log_file.open('ab') as file:
                file.write(data)
            self.log_bytes += len(data)
            if self.log_bytes > LOG_MOST:
                whole = self.log_file.read_bytes()
                kept = middle_out(whole, LOG_MOST // 2)
                self.log_file.write_bytes(kept)
                self.log_bytes = len(kept)

    def core(self, files: list[Path], most: int = MOST) -> str | None:
        """Keeps the smallest of the cores, packed, if it fits: a part of one cannot be read. Says what was kept or left out."""
        if not files:
            return None
        file = min(files, key=lambda file: file.stat().st_size)
        if file.stat().st_size > 64 * most:
            return f'{len(files)} cores, the smallest of {file.stat().st_size} bytes: left out'
        packed = gzip.compress(file.read_bytes(), 6)
        if len(packed) > most:
            return f'{len(files)} cores, the smallest of {len(packed)} bytes packed: left out'
        self.core_file.write_bytes(packed)
        return f'{self.core_file.name}: {file.name}, one of {len(files)} cores'


def middle_out(data: bytes, most: int) -> bytes:
    """The beginning and the end of a text, with a line between them."""
    if len(data) <= most:
        return data
    mark = f'\n… {len(data) - most} bytes left out …\n'.encode()
    head = most // 3
    return data[:head] + mark + data[-(most - head - len(mark)) :]
