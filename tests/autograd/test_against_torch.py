"""Views and changes in place, drawn at random, against PyTorch step by step; indexing; printing."""

from __future__ import annotations

import numpy as np
import pytest
import tapescope as ts
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed (CPU build: see CONTRIBUTING.md)")

STEPS = ["row", "column", "transpose", "reshape", "step", "mul", "add_self", "exp", "set", "fill", "base_mul", "use"]


def play(module, steps: list[tuple[str, int]]):
    """Run a program of views and in-place changes; returns the values seen and the leaf's gradient."""
    x = module.tensor(np.linspace(-1, 1, 12).reshape(3, 4), requires_grad=True)
    base = x * 1.5
    views, total, seen = [base], (x * 0).sum(), []
    for name, k in steps:
        v = views[k % len(views)]
        if name == "row" and v.ndim:
            views.append(v[k % v.shape[0]])
        elif name == "column" and v.ndim == 2:
            views.append(v[:, k % v.shape[1]])
        elif name == "transpose" and v.ndim == 2:
            views.append(v.transpose(0, 1))
        elif name == "reshape" and v.is_contiguous():
            views.append(v.view(-1))
        elif name == "step" and v.ndim:
            views.append(v[::2])
        elif name == "mul":
            v.mul_(0.5 + k / 10)
        elif name == "add_self":
            v.add_(x.sum() * 0.1)
        elif name == "exp":
            v.mul_(0.1).exp_()
        elif name == "set" and v.ndim:
            v[0] = x[0, 0] * k
        elif name == "fill":
            v.fill_(k / 7)
        elif name == "base_mul":
            base.mul_(0.9)
        elif name == "use":
            total = total + (v * (k + 1)).sum()
        seen.append([np.asarray(w.detach().numpy()).copy() for w in views])
    for v in views:
        total = total + v.sum()
    try:
        total.backward()
    except RuntimeError:
        return seen, None
    return seen, x.grad.numpy()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=12))
def test_programs_of_views_and_changes(steps: list[tuple[str, int]]) -> None:
    ours, grad = play(ts, steps)
    theirs, wanted = play(torch, steps)
    for step, other in zip(ours, theirs, strict=True):
        for a, b in zip(step, other, strict=True):
            np.testing.assert_allclose(a, b, 1e-12, 1e-12)
    assert (grad is None) == (wanted is None)
    if grad is not None:
        np.testing.assert_allclose(grad, wanted, 1e-10, 1e-10)


def draw_index(draw: st.DrawFn, shape: tuple[int, ...]):
    parts = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        parts.append(
            draw(
                st.one_of(
                    st.integers(-n, n - 1),
                    st.builds(slice, st.integers(-n, n), st.integers(-n, n), st.integers(1, 3)),
                    st.just(slice(None)),
                    st.just(None),
                    st.lists(st.integers(-n, n - 1), min_size=1, max_size=4),
                    st.lists(st.booleans(), min_size=n, max_size=n),
                )
            )
        )
    if None in parts:  # it takes no dimension
        parts.append(Ellipsis)
    return parts


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_indexing_and_its_gradient(data) -> None:
    shape = (3, 4, 2)
    parts = draw_index(data.draw, shape)
    values = np.arange(24.0).reshape(shape)

    def index(module):
        return tuple(module.tensor(p) if isinstance(p, list) else p for p in parts)

    theirs = torch.tensor(values, requires_grad=True)
    ours = ts.tensor(values, requires_grad=True)
    try:
        want = theirs[index(torch)]
    except IndexError:
        with pytest.raises(IndexError):
            ours[index(ts)]
        return
    got = ours[index(ts)]
    assert tuple(got.shape) == tuple(want.shape)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    weights = np.cos(np.arange(want.numel())).reshape(tuple(want.shape))
    (got * ts.tensor(weights)).sum().backward()
    (want * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), 1e-12)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0], [0.1, 100.0], [1e-5, 1.0], [1e9, 1.0], [float("nan"), 1.0], [float("inf"), -1.5], [], 3.0, 0.0,
        [[1, 2], [3, 4]], [True, False], list(range(1200)), [[0.5] * 30] * 3, [[[1.0, -2.5]]], [0.0, 0.0], [1e-10, 1e-12],
        np.zeros((2, 0)), np.arange(2000.0).reshape(40, 50), [-1, 20, 300],
    ],
    ids=str,
)  # fmt: skip
def test_prints_as_torch(values) -> None:
    if isinstance(values, np.ndarray):
        values = values.astype(np.float32)
    ours, theirs = repr(ts.tensor(values)), repr(torch.tensor(values))
    assert ours.replace("tapescope.", "torch.") == theirs


@pytest.mark.parametrize(
    "first", ["bool", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
)
@pytest.mark.parametrize("second", ["bool", "int8", "int64", "float16", "bfloat16", "float32", "float64", "complex128"])
def test_promotion(first: str, second: str) -> None:
    if {"float16", "complex64"} <= {first, second} or {"float16", "complex128"} <= {first, second}:
        pytest.skip("PyTorch makes its experimental complex32 of these")
    for shapes in (((2,), (2,)), ((), (2,)), ((2,), ()), ((), ())):
        ours = ts.ones(shapes[0], dtype=getattr(ts, first)) * ts.ones(shapes[1], dtype=getattr(ts, second))
        theirs = torch.ones(shapes[0], dtype=getattr(torch, first)) * torch.ones(
            shapes[1], dtype=getattr(torch, second)
        )
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], shapes
    for number in (True, 2, 2.5):
        ours = ts.ones(2, dtype=getattr(ts, first)) * number
        theirs = torch.ones(2, dtype=getattr(torch, first)) * number
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], number
