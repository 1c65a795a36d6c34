"""gradcheck and gradgradcheck: the tape's gradients against central differences.

Stricter than PyTorch's by default (rtol 1e-4, not 1e-3), so that a gradient wrong by 0.05 % is caught; for float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import GradError
from .api import grad
from .modes import enable_grad, no_grad
from .record import wrap
from .tensor import Tensor


class GradcheckError(GradError):
    """The two gradients differ; the message names output, input and element."""


def _outputs(value: Any) -> list[Tensor]:
    found = list(value) if isinstance(value, (tuple, list)) else [value]
    return [t for t in found if isinstance(t, Tensor) and t.dtype.is_floating_point]


def _numerical(function: Callable[..., Any], inputs: Sequence[Any], x: Tensor, eps: float) -> list[np.ndarray]:
    """For each output the matrix of its change with ``x``: (elements of x, elements of the output)."""
    rows: list[list[np.ndarray]] = []
    values = x._array
    with no_grad():
        for place in np.ndindex(values.shape):
            before = values[place]
            sides = []
            for step in (eps, -eps):
                values[place] = before + step
                sides.append([np.array(t._array, np.float64).reshape(-1) for t in _outputs(function(*inputs))])
            values[place] = before
            rows.append([(up - down) / (2 * eps) for up, down in zip(*sides, strict=True)])
    return [np.stack(columns) for columns in zip(*rows, strict=True)] if rows else []


def _analytical(output: Tensor, x: Tensor, create_graph: bool) -> np.ndarray:
    """The same matrix from the tape: one backward per element of the output."""
    columns = []
    for place in np.ndindex(output._array.shape):
        seed = np.zeros(output._array.shape)
        seed[place] = 1
        (gradient,) = grad(output, x, wrap(seed), retain_graph=True, create_graph=create_graph, allow_unused=True)
        columns.append(np.zeros(x._array.size) if gradient is None else gradient._array.reshape(-1).astype(np.float64))
    return np.stack(columns, 1) if columns else np.zeros((x._array.size, 0))


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-4,
              raise_exception: bool = True) -> bool:  # fmt: skip
    """Whether the tape's gradients of ``func`` agree with central differences.

    Args:
        func: takes the inputs, gives a tensor or several.
        inputs: a tensor or a sequence; those to check are float64 and require grad.
        eps: the step of the differences.
        atol, rtol: the absolute and relative difference that is allowed.
        raise_exception: raise where they differ, instead of returning False.

    Raises:
        GradcheckError: they differ. Names output, input, element and both values.

    Example:
        >>> import tapescope as ts
        >>> x = ts.randn(3, dtype=ts.float64, requires_grad=True)
        >>> ts.autograd.gradcheck(lambda x: (x * x).sum(), x)
        True
    """
    arguments = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    checked = [t for t in arguments if isinstance(t, Tensor) and t.requires_grad]
    if not checked:
        raise GradError("gradcheck: none of the inputs requires grad.")
    if any(t._array.dtype != np.float64 for t in checked):
        raise GradError("gradcheck: central differences need float64 inputs.", hint="Use x.double().")
    outputs = _outputs(func(*arguments))
    for which, x in enumerate(checked):
        numerical = _numerical(func, arguments, x, eps)
        for k, output in enumerate(outputs):
            if not x._array.size or not output._array.size:
                continue
            analytical = _analytical(output, x, False) if output.requires_grad else np.zeros_like(numerical[k])
            problem = _difference(numerical[k], analytical, atol, rtol)
            if problem is not None:
                if not raise_exception:
                    return False
                raise GradcheckError(f"gradcheck: output {k} by input {which}: {problem}")
    return True


def _difference(numerical: np.ndarray, analytical: np.ndarray, atol: float, rtol: float) -> str | None:
    off = ~np.isclose(analytical, numerical, rtol, atol, equal_nan=True)
    if not off.any():
        return None
    gap = np.where(off, np.abs(analytical - numerical), 0)
    i, j = np.unravel_index(np.nanargmax(gap), gap.shape)
    return (
        f"{int(off.sum())} of {off.size} entries differ; the worst, element {i} of the input and {j} of the output: "
        f"tape {analytical[i, j]:.8g}, central difference {numerical[i, j]:.8g}."
    )


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6,
                  atol: float = 1e-6, rtol: float = 1e-4, raise_exception: bool = True) -> bool:  # fmt: skip
    """Whether the tape's second derivatives of ``func`` agree with central differences of its first.

    Args and errors as for :func:`gradcheck`; ``grad_outputs`` are random if not given.

    Example:
        >>> import tapescope as ts
        >>> x = ts.randn(3, dtype=ts.float64, requires_grad=True)
        >>> ts.autograd.gradgradcheck(lambda x: (x ** 3).sum(), x)
        True
    """
    arguments = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    places = [i for i, t in enumerate(arguments) if isinstance(t, Tensor) and t.requires_grad]
    rng = np.random.default_rng(0)
    with no_grad():
        shapes = [t._array.shape for t in _outputs(func(*arguments))]
    if grad_outputs is None:
        seeds = [wrap(rng.standard_normal(shape)) for shape in shapes]
    else:
        seeds = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    for seed in seeds:
        seed.requires_grad = True

    def first(*values: Any) -> Any:
        again = list(arguments)
        for place, value in zip(places, values, strict=False):
            again[place] = value
        with enable_grad():
            pairs = [
                (t, s) for t, s in zip(_outputs(func(*again)), values[len(places) :], strict=True) if t.requires_grad
            ]
            outputs, weights = zip(*pairs, strict=True)
            return grad(outputs, values[: len(places)], weights, create_graph=True, materialize_grads=True)

    return gradcheck(
        first, [*(arguments[i] for i in places), *seeds], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception
    )
