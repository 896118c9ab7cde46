"""The conformance suite of all backends: several processes side by side, each case's end in a line."""

from __future__ import annotations

from typing import Any

from runner.cases import Cases, side_by_side
from runner.check import Check

ABOUT = 'every kernel of the backend against the reference, 8 processes'
CASE_SECONDS = 60
# Kernels are waited for one by one: an error has the name of the kernel it is of.
ENV = {'CUDA_LAUNCH_BLOCKING': '1'}


def run(check: Check) -> dict[str, Any]:
    listing = check.measure('conformance', '--list', limit=30)
    names = listing.out.splitlines()
    if check.emulated:
        # The whole suite runs on the emulator among the tests.
        names = [name for name in names if 'rope' in name]
    if not listing.ok or not names:
        return {**listing.result(), 'status': 'failed'}
    cases = Cases()

    def start(remaining, last, on_row):
        return check.run(check.node_command('conformance', *remaining), 300, ENV, on_row, CASE_SECONDS)

    side_by_side(names, min(8, check.cores), lambda part: cases.run(part, start, check.left))
    for name in cases.failed():
        check.failed('conformance', name, check.node_command('conformance', name))
    return cases.summary()
