"""(b) One training step on the digits: 64-128-64-10, batch 64, cross entropy, Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .timing import compare, stretch


def step_of(module: Any) -> Callable[[], None]:
    """A function that does one step, the same for both libraries."""
    nn, functional = module.nn, module.nn.functional
    module.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = module.optim.Adam(net.parameters(), lr=1e-3)
    x, y = module.rand(64, 64), module.randint(0, 10, (64,))

    def step() -> None:
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()

    step()
    return step


def parts_of(module: Any) -> dict[str, Callable[[], Any]]:
    """The parts of the step by themselves."""
    nn, functional = module.nn, module.nn.functional
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = module.optim.Adam(net.parameters(), lr=1e-3)
    x, y = module.rand(64, 64), module.randint(0, 10, (64,))
    functional.cross_entropy(net(x), y).backward()
    optimizer.step()
    return {
        "forward": lambda: functional.cross_entropy(net(x), y),
        "forward and backward": lambda: functional.cross_entropy(net(x), y).backward(),
        "Adam's step": optimizer.step,
    }


def run(rounds: int, torch: Any) -> dict[str, float]:
    """Measure, print, and return the ratios."""
    import tapescope as ts

    modules = {"tapescope": ts} | ({"PyTorch": torch} if torch else {})
    work = {side: {"training step": step_of(m), **parts_of(m)} for side, m in modules.items()}
    rows = {name: {side: stretch(work[side][name], 200) for side in modules} for name in work["tapescope"]}
    return compare("(b) the digits: 64-128-64-10, batch 64", rows, rounds, "µs")
