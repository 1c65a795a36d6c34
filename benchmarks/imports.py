"""(c) How long ``import`` takes, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from .timing import compare

_SCRIPT = "import time; start = time.perf_counter(); import {0}; print(time.perf_counter() - start)"


def fresh(module: str) -> Callable[[], float]:
    """A measurement of ``import module`` in a new interpreter."""

    def measure() -> float:
        answer = subprocess.run(
            [sys.executable, "-c", _SCRIPT.format(module)], capture_output=True, text=True, check=True
        )
        return float(answer.stdout)

    return measure


def run(rounds: int, with_torch: bool) -> dict[str, float]:
    """Measure, print, and return the ratio."""
    sides = {"tapescope": fresh("tapescope")} | ({"PyTorch": fresh("torch")} if with_torch else {})
    for measure in sides.values():
        measure()  # once for the disk
    return compare("(c) import, each time in a new process", {"import": sides}, rounds, "ms")
