"""(d) What the three live views cost: the digits' training loop with them and without, in turns."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

from .digits import step_of

SECONDS = 3.0  # of training per turn


def run(rounds: int) -> dict[str, float]:
    """Measure, print, and return the share of the loop's time that the views take.

    By the clock of the wall, and by the training thread's own processor time. Each turn with views is compared with the
    turns without before and after it; how far those two lie apart is printed as the noise.
    """
    import tapescope as ts

    step = step_of(ts)
    net = _net_of(step)
    bare = [_steps(step)]
    watched = []
    for _ in range(rounds):
        views = [ts.tape(net), ts.watch(net), ts.memory(live=True)]
        watched.append(_steps(step))
        for view in views:
            view.close()
        bare.append(_steps(step))
    print("\n(d) three live views over the digits' training loop\n")
    print(f"{'':28s}{'without':>12s}{'with':>12s}{'they take':>12s}{'noise':>10s}")
    shares = {}
    for clock in CLOCKS:
        plain, seen = [turn[clock] for turn in bare], [turn[clock] for turn in watched]
        around = [(one + two) / 2 for one, two in itertools.pairwise(plain)]
        shares[clock] = statistics.median(w / p for w, p in zip(seen, around, strict=True)) - 1
        noise = statistics.median(abs(one / two - 1) for one, two in itertools.pairwise(plain))
        medians = f"{statistics.median(plain) * 1e6:9.0f} µs{statistics.median(seen) * 1e6:9.0f} µs"
        print(f"{f'a step, {clock} time':28s}{medians}{shares[clock] * 100:10.1f} %{noise * 100:8.1f} %")
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
