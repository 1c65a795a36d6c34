"""The checker is itself checked: it must catch what it exists to catch."""

from __future__ import annotations

import pytest
import tapescope as ts
from tapescope.autograd import GradcheckError, gradcheck, gradgradcheck
from tapescope.ops.record import OPS, Op, run_one


def wrong_by(share: float, second: bool = False) -> object:
    """``x ** 3`` with a first (or only second) derivative that is wrong by ``share``."""
    factor = 1 + share

    def vjp(g, x):
        return g * run_one(slope, x) if second else g * x * x * 3 * factor

    slope = Op("wrong_slope", lambda x: 3 * x * x, (lambda g, x: g * x * 6 * factor,), saves=(0,))
    op = Op("wrong", lambda x: x**3, (vjp,), saves=(0,))
    for name in ("wrong_slope", "wrong"):
        del OPS[name]
    return lambda x: run_one(op, x)


def inputs() -> ts.Tensor:
    return ts.tensor([0.7, -1.3, 2.1], dtype=ts.float64, requires_grad=True)


def test_a_gradient_wrong_by_a_twentieth_of_a_percent_is_caught() -> None:
    assert gradcheck(wrong_by(0.0), inputs())
    with pytest.raises(GradcheckError, match=r"3 of 9 entries differ; the worst, element 2"):
        gradcheck(wrong_by(0.0005), inputs())
    assert not gradcheck(wrong_by(-0.0005), inputs(), raise_exception=False)


def test_a_second_derivative_wrong_by_a_twentieth_of_a_percent_is_caught() -> None:
    assert gradgradcheck(wrong_by(0.0, second=True), inputs())
    assert gradcheck(wrong_by(0.0005, second=True), inputs())
    with pytest.raises(GradcheckError):
        gradgradcheck(wrong_by(0.0005, second=True), inputs())


def test_it_asks_for_what_it_needs() -> None:
    with pytest.raises(ts.errors.GradError, match="float64"):
        gradcheck(lambda x: x * 2, ts.ones(2, requires_grad=True))
    with pytest.raises(ts.errors.GradError, match="requires grad"):
        gradcheck(lambda x: x * 2, ts.ones(2, dtype=ts.float64))
