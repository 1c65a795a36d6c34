"""Alternating rounds: both sides take turns within one run, so that a busy machine slows both alike."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Mapping
from typing import Any


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let each side measure itself in turn, ``rounds`` times. Returns the seconds of each side's rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            seconds[name].append(measure())
    return seconds


def statement(source: str, names: dict[str, Any], number: int) -> Callable[[], float]:
    """A measurement of one statement, run ``number`` times; gives the seconds of one."""
    timer = timeit.Timer(source, globals=names)
    return lambda: timer.timeit(number) / number


def stretch(function: Callable[[], Any], number: int) -> Callable[[], float]:
    """A measurement of ``number`` calls; gives the seconds of one."""

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(number):
            function()
        return (time.perf_counter() - start) / number

    return measure


def ratio(seconds: Mapping[str, list[float]], ours: str, theirs: str) -> tuple[float, float, float]:
    """(our best, their best, median over the rounds of ours divided by theirs)."""
    paired = [a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
    return min(seconds[ours]), min(seconds[theirs]), statistics.median(paired)


def show(title: str, rows: list[tuple[str, float, float | None, float | None]], unit: str) -> None:
    """Print a table: name, ours, PyTorch's, ratio."""
    scale = {"µs": 1e6, "ms": 1e3, "s": 1.0}[unit]
    print(f"\n{title}\n{'':26s}{'tapescope':>12s}{'PyTorch':>12s}{'ratio':>8s}")
    for name, ours, theirs, of in rows:
        other = "-" if theirs is None else f"{theirs * scale:.3g} {unit}"
        shown = "-" if of is None else f"{of:.2f}"
        print(f"{name:26s}{f'{ours * scale:.3g} {unit}':>12s}{other:>12s}{shown:>8s}")
