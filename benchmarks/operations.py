"""(a) What one recorded operation costs on 8x8 float32 tensors, call sites on."""

from __future__ import annotations

from typing import Any

from .timing import compare, statement

OPERATIONS = {
    "add": "x + y",
    "mul": "x * y",
    "matmul": "x @ y",
    "exp": "x.exp()",
    "sum": "x.sum()",
    "reshape": "x.reshape(4, 16)",
    "slice": "x[2:5]",
    "ten products, sum, backward": "chain(x, y)",
}
ALSO = {
    "add, nothing recorded": "y + y",
    "mul by a number": "x * 2.0",
    "relu": "x.relu()",
    "mean": "x.mean()",
    "sum over a dimension": "x.sum(1)",
    "softmax": "x.softmax(1)",
    "transpose": "x.T",
}


def chain(x: Any, y: Any) -> None:
    """Ten products, a sum, and the way back."""
    z = x
    for _ in range(10):
        z = z * y
    x.grad = None
    z.sum().backward()


def run(rounds: int, torch: Any) -> dict[str, float]:
    """Measure, print, and return the ratios."""
    import tapescope as ts

    modules = {"tapescope": ts} | ({"PyTorch": torch} if torch else {})
    names = {
        side: {"x": m.randn(8, 8, requires_grad=True), "y": m.randn(8, 8), "chain": chain}
        for side, m in modules.items()
    }
    rows = {
        name: {side: statement(source, names[side], 200 if "chain" in source else 2000) for side in modules}
        for name, source in {**OPERATIONS, **ALSO}.items()
    }
    return compare("(a) one recorded operation, 8x8 float32", rows, rounds, "µs")
