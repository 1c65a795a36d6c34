"""(d) What the three live views cost: the digits' training loop with them and without, in turns."""

from __future__ import annotations

import statistics
import time
from typing import Any

from .digits import step_of
from .timing import alternate


def run(rounds: int) -> dict[str, float]:
    """Measure, print, and return the share of the loop's time that the views take."""
    import tapescope as ts

    step = step_of(ts)
    net = _net_of(step)

    def plain() -> float:
        return _steps(step)

    def watched() -> float:
        views = [ts.tape(net), ts.watch(net), ts.memory(live=True)]
        try:
            return _steps(step)
        finally:
            for view in views:
                view.close()

    seconds = alternate({"plain": plain, "watched": watched}, rounds)
    share = statistics.median(w / p for p, w in zip(seconds["plain"], seconds["watched"], strict=True)) - 1
    best = min(seconds["watched"]) / min(seconds["plain"]) - 1
    print("\n(d) three live views over the digits' training loop")
    print(f"{'step without':26s}{min(seconds['plain']) * 1e6:9.3g} µs")
    print(f"{'step with':26s}{min(seconds['watched']) * 1e6:9.3g} µs")
    print(f"{'they take (median)':26s}{share * 100:9.1f} %")
    print(f"{'they take (best rounds)':26s}{best * 100:9.1f} %")
    return {"live views": share}


def _steps(step: Any, duration: float = 1.5) -> float:
    """Seconds per step over ``duration`` seconds of training."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < duration:
        for _ in range(20):
            step()
        count += 20
    return (time.perf_counter() - start) / count


def _net_of(step: Any) -> Any:
    """The network that a step trains."""
    return next(cell.cell_contents for cell in step.__closure__ if hasattr(cell.cell_contents, "parameters"))
