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


def compare(
    title: str, rows: Mapping[str, Mapping[str, Callable[[], float]]], rounds: int, unit: str
) -> dict[str, float]:
    """Measure rows of sides ("tapescope" and perhaps "PyTorch"), print a table, and return the ratios: the median over
    the rounds of ours divided by theirs."""
    scale = {"µs": 1e6, "ms": 1e3, "s": 1.0}[unit]
    ratios: dict[str, float] = {}
    print(f"\n{title}\n{'':28s}{'tapescope':>12s}{'PyTorch':>12s}{'ratio':>8s}")
    for name, sides in rows.items():
        seconds = alternate(sides, rounds)
        shown = [
            f"{min(seconds[side]) * scale:.3g} {unit}" if side in seconds else "-" for side in ("tapescope", "PyTorch")
        ]
        if "PyTorch" in seconds:
            pairs = zip(seconds["tapescope"], seconds["PyTorch"], strict=True)
            ratios[name] = statistics.median(ours / theirs for ours, theirs in pairs)
        print(f"{name:28s}{shown[0]:>12s}{shown[1]:>12s}{ratios.get(name, float('nan')):8.2f}")
    return ratios
