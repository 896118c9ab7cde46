"""Which steps fit into a budget, in what order, and what runs beside what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Result = dict[str, Any]

# Seconds at the end for writing the report and ending processes.
RESERVE = 4.0


@dataclass(frozen=True)
class Step:
    """One thing to try."""

    name: str
    # What it answers, for the plan.
    about: str
    # Expected on one H200 with 16 processor cores.
    seconds: float
    # What it is worth when time is short: steps run in the order of it, the highest first.
    value: int
    run: Callable[..., Result]
    # Tests may share the GPU and the processor with other tests; measurements may not.
    shares: bool = False
    # Begins when the work beside the steps has ended.
    measures: bool = False
    # Needs a device that the backend opens: skipped where smoke found none.
    backend: bool = False
    # Its failure is the check's failure.
    required: bool = False
    # Goes on until the time is over: `seconds` is what makes it worth beginning.
    fills: bool = False


@dataclass
class Phase:
    """Steps that run side by side."""

    steps: list[Step]
    begin: float
    seconds: float

    @property
    def shares(self) -> bool:
        return all(step.shares for step in self.steps)


@dataclass
class Plan:
    budget: float
    phases: list[Phase] = field(default_factory=list)
    cut: list[Step] = field(default_factory=list)

    @property
    def end(self) -> float:
        return max((phase.begin + phase.seconds for phase in self.phases), default=0.0)

    @property
    def planned(self) -> list[Step]:
        return [step for phase in self.phases for step in phase.steps]


def plan(steps: Sequence[Step], budget: float) -> Plan:
    """Takes steps by value while they fit. A step that does not fit is cut, and a shorter one after it may still fit."""
    made = Plan(budget)
    end = budget - RESERVE
    for step in sorted(steps, key=lambda step: -step.value):
        last = made.phases[-1] if made.phases else None
        if last is not None and last.shares and step.shares:
            longer = max(last.seconds, step.seconds)
            if last.begin + longer <= end:
                last.steps.append(step)
                last.seconds = longer
                continue
        elif made.end + step.seconds <= end:
            seconds = end - made.end if step.fills else step.seconds
            made.phases.append(Phase([step], made.end, seconds))
            continue
        made.cut.append(step)
    return made


def text(made: Plan, background: Sequence[tuple[str, str, float]] = ()) -> str:
    """The plan for people: begin, seconds, value, name and what it answers; `background` is name, what for, seconds."""
    lines = [f'budget {made.budget:.0f} s, planned {made.end:.0f} s', '', ' begin  seconds  value  step']
    for name, about, seconds in background:
        lines.append(f'     0  {seconds:7.0f}      -  {name:22} {about} (processor only, beside the steps)')
    for phase in made.phases:
        for place, step in enumerate(phase.steps):
            begin = f'{phase.begin:6.0f}' if place == 0 else '     |'
            seconds = f'{phase.seconds:6.0f}+' if step.fills else f'{step.seconds:7.0f}'
            alone = '' if phase.shares and len(phase.steps) > 1 else ' (alone)'
            lines.append(f'{begin}  {seconds:>7}  {step.value:5}  {step.name:22} {step.about}{alone}')
    if made.cut:
        lines.append('')
        lines.append('cut at this budget')
        lines += [f'        {step.seconds:7.0f}  {step.value:5}  {step.name:22} {step.about}' for step in made.cut]
    return '\n'.join(lines)
