"""The steps, one a file, and the lists of the two calls.

`value` orders the steps of a call: what is worth most is done first, and what is worth least is cut first. `seconds` is what a
step is expected to take on one H200 with 16 processor cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from runner.plan import Step

from . import agreement, conformance, decode, device_tests, kernels, nccl, prepare, rerun, sanitizer, smoke, torch_kernels
from . import torch_train, train

SHAPES = ((4, 512), (2, 2048), (1, 4096))


def first() -> list[Step]:
    """Is it right, and how fast is a step? The first run on a machine."""
    return [
        Step('smoke', smoke.ABOUT, 10, 100, smoke.run, required=True),
        Step('device-tests', device_tests.ABOUT, 30, 95, device_tests.run, shares=True, required=True),
        Step('conformance', conformance.ABOUT, 40, 90, conformance.run, shares=True, backend=True, required=True),
        Step('agreement', agreement.ABOUT, 45, 85, agreement.run, shares=True, backend=True, required=True),
        Step('nccl', nccl.ABOUT, 15, 80, nccl.run, shares=True, backend=True, required=True),
        Step('rerun tests', rerun.ABOUT, 0, 75, rerun.run),
        train.step(4, 512, 70),
        train.step(4, 512, 65, '--profile'),
        Step('kernels', kernels.ABOUT, 25, 60, kernels.run, measures=True, backend=True, required=True),
        Step('torch-kernels', torch_kernels.ABOUT, 25, 55, torch_kernels.run, measures=True),
        decode.step(50),
        torch_train.step('torch-train 4x512', [(4, 512, '')], 45),
        Step('rerun measurements', rerun.ABOUT, 0, 42, rerun.run),
        sanitizer.step(('memcheck', 'racecheck'), 40),
    ]


def second() -> list[Step]:
    """Beside the peer, at all lengths; and races."""
    beside = [(*shape, how) for shape in SHAPES for how in ('', 'checkpointing')]
    return [
        Step('smoke', smoke.ABOUT, 10, 100, smoke.run, required=True),
        *[train.step(*shape, 90 - place) for place, shape in enumerate(SHAPES)],
        torch_train.step('torch-train', [*beside, (4, 512, 'alpaca')], 85),
        train.step(4, 512, 80, '--nf4'),
        train.step(4, 512, 75, '--alpaca'),
        decode.step(70),
        Step('rerun measurements', rerun.ABOUT, 0, 65, rerun.run),
        sanitizer.step(('racecheck', 'memcheck'), 60),
    ]


def listed(call: str) -> list[Step]:
    """The steps of a call; of both, where the second's own come before the last of the first."""
    if call != 'all':
        return {'1': first, '2': second}[call]()
    names = {step.name for step in first()}
    return [*first(), *[replace(step, value=41) for step in second() if step.name not in names]]


@dataclass(frozen=True)
class Job:
    """Work of the processor alone, from the first second on."""

    name: str
    about: str
    seconds: float
    run: Callable[..., dict[str, Any]]


def background(steps: list[Step]) -> list[Job]:
    """What these steps need."""

    def wanted(*names: str) -> bool:
        return any(step.name.split(' ')[0] in names for step in steps)

    jobs = []
    if wanted('device-tests', 'sanitizer'):
        jobs.append(Job('programs', prepare.PROGRAMS, 3, prepare.programs))
    if wanted('train', 'decode'):
        jobs.append(Job('weights', prepare.WEIGHTS, 15, prepare.weights))
    if wanted('agreement', 'torch-kernels', 'torch-train'):
        jobs.append(Job('imports', prepare.IMPORTS, 20, prepare.imports))
    return jobs
