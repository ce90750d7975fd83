"""``python -m conformance scenes``: several clients at once, on both servers, and what each is told compared.

They wait for keys, watch, subscribe, cache, pause, end one another; what differs is shrunk to the fewest steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import Final

from conformance.fuzz import both, parser_of
from conformance.fuzz.shrink import shrink
from conformance.scenes.scene import Author, Step, text_of
from conformance.scenes.stage import END, Stage

Told = dict[int, bytes]

_MORE_TIMES: Final = 10
_SECONDS: Final = 0.02
"""What the real server does in the background may take a moment: so often and so long it is waited for."""


def play(scene: list[Step], ours: Stage, theirs: Stage) -> tuple[Told, Told] | None:
    """What the clients of both servers are told in the first step in which that differs; None where there is none."""
    stages = (ours, theirs)
    for stage in stages:
        stage.begin()
    for step in scene:
        for stage in stages:
            stage.send(step)
        told = [_told(stage) for stage in stages]
        for _ in range(_MORE_TIMES):
            if told[0] == told[1]:
                break
            time.sleep(_SECONDS)
            told = [_joined(before, _told(stage)) for before, stage in zip(told, stages, strict=True)]
        if told[0] != told[1]:
            return told[0], told[1]
        for number, data in told[0].items():
            if data.endswith(END):
                for stage in stages:
                    stage.leave(number)
    return None


def _told(stage: Stage) -> Told:
    stage.settle()
    return stage.told()


def _joined(before: Told, after: Told) -> Told:
    return {number: data if data.endswith(END) else data + after[number] for number, data in before.items()}


def _report(scene: list[Step], first: tuple[Told, Told], ours: Stage, theirs: Stage) -> str:
    least = shrink(scene, lambda steps: play(steps, ours, theirs) is not None)
    again = play(least, ours, theirs)
    lines = ["seen only once:" if again is None else "", text_of(least)]
    subject, oracle = again or first
    for number in subject.keys() | oracle.keys():
        if subject.get(number) != oracle.get(number):
            lines += [f"client {number}", f"  oracle  {oracle.get(number)!r}", f"  subject {subject.get(number)!r}"]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Play until the time is over; 1 where a difference was found."""
    parser = parser_of("scenes", __doc__)
    parser.add_argument("--scenes", type=int, help="how many scenes instead")
    options = parser.parse_args(arguments)
    author = Author(Random(options.seed))
    played = steps = found = 0
    end = time.monotonic() + options.seconds
    with both(options) as (subject, oracle):
        ours, theirs = Stage(subject), Stage(oracle)
        while found < options.differences and (played < options.scenes if options.scenes else time.monotonic() < end):
            scene = author.scene()
            played += 1
            steps += len(scene)
            difference = play(scene, ours, theirs)
            if difference is not None:
                found += 1
                print(f"{_report(scene, difference, ours, theirs)}\n", flush=True)
    print(f"seed {options.seed}: {played} scenes, {steps} steps, {found} differences")
    return 1 if found else 0
