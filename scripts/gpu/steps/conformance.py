"""The conformance suite of all backends: several processes side by side, each case's end in a line."""

from __future__ import annotations

from typing import Any

from runner.cases import Cases, dealt, side_by_side
from runner.check import Check, launch_env

ABOUT = 'every kernel of the backend against the reference, 8 processes'
CASE_SECONDS = 60
MOST_SECONDS = 120


def run(check: Check) -> dict[str, Any]:
    listing = check.measure('conformance', '--list', limit=30)
    names = listing.out.splitlines()
    if check.emulated:
        # The whole suite runs on the emulator among the tests.
        names = [name for name in names if 'rope' in name]
    if not listing.ok or not names:
        return {**listing.result(), 'status': 'failed'}
    cases, left = Cases(), check.window(MOST_SECONDS)

    def start(remaining, last, on_row):
        command = check.node_command('conformance', *remaining)
        return check.run(command, left(), launch_env(remaining[0]), on_row, CASE_SECONDS)

    # Cases that record are run otherwise, so no process has both.
    names = sorted(names, key=lambda name: bool(launch_env(name)))
    recording = [name for name in names if not launch_env(name)]
    parts = dealt(names[len(recording) :], min(8, check.cores))
    side_by_side([*([recording] if recording else []), *parts], lambda part: cases.run(part, start, left))
    for name in cases.failed():
        check.failed('conformance', name, check.node_command('conformance', name))
    return cases.summary()
