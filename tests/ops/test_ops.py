"""The harness: every op's rows against NumPy, against PyTorch where installed, and its gradients to second order."""

from __future__ import annotations

import functools
import importlib.util
import operator
from typing import Any

import numpy as np
import pytest
import tapescope as ts
from ops.cases import CASES, Case
from ops.test_expressions import recorded
from tapescope.ops.record import OPS

TOLERANCE = {"float64": (1e-12, 1e-12), "float32": (2e-6, 2e-6), "float16": (4e-3, 4e-3), "bfloat16": (3e-2, 3e-2)}
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (its CPU build: see CONTRIBUTING.md)",
)
cases = pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.id}" for i, case in enumerate(CASES)])


def function_of(module: Any, path: str) -> Any:
    return functools.reduce(getattr, path.split("."), module)


def arrays_of(case: Case, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [make(rng) for make in case.inputs]


def tensors_of(arrays: list[np.ndarray], dtype: str = "float64", grad: bool = False) -> list[ts.Tensor]:
    out = []
    for a in arrays:
        real = a.dtype.kind == "f"
        t = ts.tensor(a).to(getattr(ts, dtype)) if real else ts.tensor(a)
        out.append(t.requires_grad_() if grad and real else t)
    return out


def call(case: Case, tensors: list[Any], module: Any = ts) -> tuple[Any, ...]:
    function = function_of(module, case.torch or case.op if module is not ts else case.op)
    args = [module.tensor(a) if isinstance(a, np.ndarray) else a for a in case.args]
    values = (tensors,) if case.sequence else tensors
    out = function(*values, *args, **case.kwargs)
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)


def expected(case: Case, arrays: list[np.ndarray]) -> tuple[Any, ...]:
    out = case.numpy(*arrays)
    return out if isinstance(out, tuple) else (out,)


@cases
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_value(case: Case, dtype: str) -> None:
    arrays = arrays_of(case)
    tensors = tensors_of(arrays, dtype)
    before = [t._array.copy() for t in tensors]
    rtol, atol = TOLERANCE[dtype]
    seen = [np.asarray(t._array, np.float64) if t._array.dtype.kind not in "biu" else t._array for t in tensors]
    results = call(case, tensors)
    for got, want in zip(results, expected(case, seen), strict=True):
        assert got.shape == np.shape(want)
        steps = 60 if case.op in ("prod", "var", "std", "matmul", "pow") else 12
        scale = steps if dtype in ("float16", "bfloat16", "float32") else 10
        np.testing.assert_allclose(
            np.asarray(got._array, np.float64), np.asarray(want, np.float64), rtol * scale, atol * scale
        )
        if got.is_floating_point():
            assert got.dtype is getattr(ts, dtype)
    for t, old in zip(tensors, before, strict=True):
        np.testing.assert_array_equal(t._array, old)  # inputs are left alone


@needs_torch
@pytest.mark.parametrize(
    ("case", "dtype"), [(c, d) for c in CASES for d in ("float32", "int64") if d == "float32" or c.ints], ids=str
)
def test_against_torch(case: Case, dtype: str) -> None:
    import torch

    arrays = [
        a.astype(np.float32 if dtype == "float32" else np.int64) if a.dtype.kind == "f" else a for a in arrays_of(case)
    ]
    ours = call(case, [ts.tensor(a) for a in arrays])
    theirs = call(case, [torch.tensor(a) for a in arrays], torch)
    for got, want in zip(ours, theirs, strict=True):
        assert str(got.dtype).split(".")[1] == str(want.dtype).split(".")[1]
        assert tuple(got.shape) == tuple(want.shape)
        np.testing.assert_allclose(got._array, want.numpy(), 2e-5, 2e-6)


@needs_torch
@pytest.mark.parametrize("case", [c for c in CASES if c.grad], ids=lambda c: c.id)
def test_gradient_against_torch(case: Case) -> None:
    import torch

    arrays = arrays_of(case)
    ours = tensors_of(arrays, grad=True)
    theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    for got, want in zip(call(case, ours), call(case, theirs, torch), strict=True):
        if got.requires_grad:
            seed = np.cos(np.arange(got.numel())).reshape(got.shape)
            got.backward(ts.tensor(seed), retain_graph=True)
            want.backward(torch.tensor(seed), retain_graph=True)
    for got, want in zip(ours, theirs, strict=True):
        if got.requires_grad and got.numel():
            np.testing.assert_allclose(got.grad._array, want.grad.numpy(), 1e-9, 1e-9)


def differentiable(case: Case) -> Any:
    def function(*tensors: ts.Tensor) -> Any:
        return tuple(t for t in call(case, list(tensors)) if t.requires_grad or not ts.is_grad_enabled())

    return function


@pytest.mark.parametrize("case", [c for c in CASES if c.grad], ids=lambda c: c.id)
def test_first_order(case: Case) -> None:
    assert ts.autograd.gradcheck(differentiable(case), tensors_of(arrays_of(case), grad=True))


@pytest.mark.parametrize("case", [c for c in CASES if c.grad and c.second], ids=lambda c: c.id)
def test_second_order(case: Case) -> None:
    tensors = tensors_of(arrays_of(case), grad=True)
    assert ts.autograd.gradgradcheck(differentiable(case), tensors, atol=1e-5)


@cases
def test_non_contiguous(case: Case) -> None:
    arrays = arrays_of(case)
    spread = []
    for a in arrays:
        wide = np.zeros((*a.shape[::-1], 2), a.dtype).T if a.ndim else a
        if a.ndim:
            wide = np.moveaxis(np.zeros((*a.shape, 2), a.dtype), -1, 0)[0]
            wide[...] = a
        spread.append(wide)
    tensors = [ts.as_tensor(a) for a in spread]
    plain = call(case, tensors_of(arrays))
    for got, want in zip(call(case, tensors), plain, strict=True):
        np.testing.assert_allclose(got._array.astype(float), want._array.astype(float), 1e-12, 1e-12)


EMPTY = [c for c in CASES if c.inputs and not c.args and not c.kwargs and c.op not in (
    "amax", "amin", "max", "min", "argmax", "argmin", "squeeze", "t", "mm", "bmm", "dot", "matmul", "cat", "stack",
    "nn.functional.linear", "nn.functional.cross_entropy", "nn.functional.nll_loss")]  # fmt: skip


@pytest.mark.parametrize("case", EMPTY, ids=lambda c: c.id)
def test_zero_size(case: Case) -> None:
    arrays = [np.zeros((0, 4), a.dtype) for a in arrays_of(case)]
    with np.errstate(all="ignore"):
        tensors = tensors_of(arrays, grad=case.grad)
        out = call(case, tensors)[0]
    assert out.numel() in (0, 1)
    if out.requires_grad:
        out.sum().backward()
        assert tensors[-1].grad.shape == (0, 4)


def test_every_op_has_a_row() -> None:
    """An op without a case here is an op without a proof: the recorded names of all rows cover the registry."""
    seen: set[str] = set()

    def note(node: Any, tensor: Any) -> None:
        seen.add(node.op.name)

    ts.autograd.events.recorded.append(note)
    try:
        for case in CASES:
            for out in call(case, tensors_of(arrays_of(case), grad=True)):
                if out.requires_grad:
                    out.sum().backward(create_graph=True)
    finally:
        ts.autograd.events.recorded.remove(note)
    without_gradient = {name for name, op in OPS.items() if not op.differentiable}
    seen |= recorded()
    seen |= {"gelu_tanh", "to"}  # a second record under the label "gelu", with rows; a test of its own
    missing = set(OPS) - seen - without_gradient
    assert not missing, f"no row in tests/ops/cases.py records: {sorted(missing)}"


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "lt"])
def test_operators_with_numbers(op: str) -> None:
    x = ts.tensor([1.0, 2.0, 3.0])
    function = getattr(operator, op)
    np.testing.assert_allclose(function(x, 2)._array, function(x._array, 2))
    np.testing.assert_allclose(function(2, x)._array, function(2, x._array))
    assert function(x, 2).dtype in (ts.float32, ts.bool)
