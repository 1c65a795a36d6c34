"""(d) What the three live views cost: the digits' training loop with them and without, in turns."""

from __future__ import annotations

import statistics
import time
from typing import Any

from .digits import step_of

SECONDS = 3.0  # of training per turn


def run(rounds: int) -> dict[str, float]:
    """Measure, print, and return the share of the loop's time that the views take.

    By the clock of the wall, and by the training thread's own processor time, which a busy machine does not disturb.
    """
    import tapescope as ts

    step = step_of(ts)
    net = _net_of(step)
    measured: dict[str, dict[str, list[float]]] = {clock: {"plain": [], "watched": []} for clock in CLOCKS}
    for _ in range(rounds):
        for side in ("plain", "watched"):
            views = [ts.tape(net), ts.watch(net), ts.memory(live=True)] if side == "watched" else []
            for clock, seconds in _steps(step).items():
                measured[clock][side].append(seconds)
            for view in views:
                view.close()
    print("\n(d) three live views over the digits' training loop\n")
    print(f"{'':28s}{'without':>12s}{'with':>12s}{'they take':>12s}")
    shares = {}
    for clock, sides in measured.items():
        plain, watched = (statistics.median(sides[side]) for side in ("plain", "watched"))
        shares[clock] = statistics.median(w / p for p, w in zip(sides["plain"], sides["watched"], strict=True)) - 1
        name = f"a step, {clock} time"
        print(f"{name:28s}{plain * 1e6:9.0f} µs{watched * 1e6:9.0f} µs{shares[clock] * 100:10.1f} %")
    return shares


CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}


def _steps(step: Any) -> dict[str, float]:
    """Seconds per step of a stretch of training, by each clock."""
    count, began = 0, {name: clock() for name, clock in CLOCKS.items()}
    while time.perf_counter() - began["wall"] < SECONDS:
        for _ in range(20):
            step()
        count += 20
    return {name: (clock() - began[name]) / count for name, clock in CLOCKS.items()}


def _net_of(step: Any) -> Any:
    """The network that a step trains."""
    return next(cell.cell_contents for cell in step.__closure__ if hasattr(cell.cell_contents, "parameters"))
