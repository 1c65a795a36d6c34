"""Products of matrices, and the linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends import blas
from ..errors import DtypeError, ShapeError
from .record import Op, _public, ndarray, run, through_float32
from .shape import transpose, unsqueeze

# -- matmul --------------------------------------------------------------------------------------------------------


# Each input's gradient needs the other input alone: whether the input itself was a vector shows in the shape of g.


def _matmul_dx(g: Any, x: Any, y: Any) -> Any:
    if y.ndim == 1:
        return g * y if g.ndim == 0 else unsqueeze(g, -1) * y
    if g.ndim == y.ndim - 1:
        return matmul(unsqueeze(g, -2), y.mT).reshape((*g.shape[:-1], y.shape[-2]))
    return matmul(g, y.mT)


def _matmul_dy(g: Any, x: Any, y: Any) -> Any:
    if x.ndim == 1:
        return g * x if g.ndim == 0 else unsqueeze(x, -1) * unsqueeze(g, -2)
    if g.ndim == x.ndim - 1:
        return matmul(x.mT, unsqueeze(g, -1)).reshape((*x.shape[:-2], x.shape[-1]))
    return matmul(x.mT, g)


def _explain_matmul(x: Any, y: Any) -> tuple[str, Sequence[int | None]]:
    a, b = np.shape(x), np.shape(y)
    if not a or not b:
        return "a 0-d tensor has no matrix product; use *.", (None, None)
    inner = max(len(b) - 2, 0)
    if a[-1] != b[inner]:
        return (
            f"{a} @ {b}: axis {len(a) - 1} of the first is {a[-1]}, axis {inner} of the second is {b[inner]}; "
            "they must be equal.",
            (len(a) - 1, inner),
        )
    return f"the batch dimensions {a[:-2]} and {b[:-2]} do not broadcast.", (0, 0)


def _product(x: ndarray, y: ndarray) -> Any:
    if x.dtype is not y.dtype and x.dtype != y.dtype:
        raise DtypeError(
            f"matrix product: the first is {x.dtype}, the second {y.dtype}; expected one dtype.",
            op="matmul",
            operands=[
                {"name": name, "shape": a.shape, "dtype": str(a.dtype), "axis": None, "edge": None}
                for name, a in (("input", x), ("other", y))
            ],
            hint=f"Try .to(ts.{x.dtype if x.dtype.kind == 'f' else y.dtype}).",
        )
    if x.dtype.itemsize == 2:
        return _half_product(x, y)
    return blas.dot(x, y) if x.ndim == 2 and y.ndim == 2 and x.dtype.kind != "b" else blas.matmul(x, y)


_half_product = through_float32(blas.matmul)


_matmul = Op("matmul", _product, (_matmul_dx, _matmul_dy), saves=(0, 1), uses=((1,), (0,)), explain=_explain_matmul)


def _matmul_function(input: Any, other: Any) -> Any:
    if type(input) is ndarray and type(other) is ndarray:
        return _product(input, other)
    return run(_matmul, (input, other))


matmul = _public(
    _matmul_function,
    _matmul,
    """
The matrix product, batched over leading dimensions, which broadcast; 1-d inputs are vectors.

Gradient: ``g @ other.mT`` and ``input.mT @ g``.

Raises:
    ShapeError: the inner sizes differ, or the batches do not broadcast.

Example:
    >>> import tapescope as ts
    >>> ts.matmul(ts.tensor([[1.0, 2.0], [3.0, 4.0]]), ts.tensor([1.0, 1.0]))
    tensor([3., 7.])
""",
)


def _exact(name: str, input: Any, other: Any, ndim: int) -> Any:
    if input.ndim != ndim or other.ndim != ndim:
        raise ShapeError(
            f"{name}: got shapes {tuple(input.shape)} and {tuple(other.shape)}, expected {ndim} dimensions each.",
            op=name,
            hint="matmul takes any.",
        )
    return run(_matmul, (input, other))


def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices, (n, m) and (m, p).

    Example:
        >>> import tapescope as ts
        >>> ts.mm(ts.ones(2, 3), ts.ones(3, 1))
        tensor([[3.],
                [3.]])
    """
    if input.ndim != 2 or mat2.ndim != 2:
        return _exact("mm", input, mat2, 2)
    return run(_matmul, (input, mat2))


def bmm(input: Any, mat2: Any) -> Any:
    """The products of two batches of matrices, (b, n, m) and (b, m, p).

    Example:
        >>> import tapescope as ts
        >>> ts.bmm(ts.ones(4, 2, 3), ts.ones(4, 3, 1)).shape
        tapescope.Size([4, 2, 1])
    """
    if input.ndim != 3 or mat2.ndim != 3:
        return _exact("bmm", input, mat2, 3)
    return run(_matmul, (input, mat2))


def dot(input: Any, tensor: Any) -> Any:
    """The inner product of two vectors.

    Example:
        >>> import tapescope as ts
        >>> ts.dot(ts.tensor([1.0, 2.0]), ts.tensor([3.0, 4.0]))
        tensor(11.)
    """
    if input.ndim != 1 or tensor.ndim != 1:
        return _exact("dot", input, tensor, 1)
    return run(_matmul, (input, tensor))


# -- linear: x W^T + b in one op --------------------------------------------------------------------------------------


def _linear(x: ndarray, weight: ndarray, bias: ndarray | None) -> Any:
    out = _product(x, weight.T)
    if bias is not None:
        if out.ndim == 0 or out.shape[-1:] != bias.shape[-1:]:
            out = out + bias
        else:
            out += bias
    return out


def _rows(x: Any) -> Any:
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


def _linear_dw(g: Any, x: Any, weight: Any) -> Any:
    if g.ndim == x.ndim - 1:  # the weight is a vector
        return g * x if x.ndim == 1 else matmul(_rows(x).mT, g.reshape((-1,)))
    return matmul(transpose(_rows(g), 0, 1), _rows(x))


def _linear_dx(g: Any, x: Any, weight: Any) -> Any:
    return matmul(g, weight) if weight.ndim == 2 else unsqueeze(g, -1) * weight


def _explain_linear(x: Any, weight: Any, bias: Any) -> Any:
    a, w = np.shape(x), np.shape(weight)
    if a and w and a[-1] != w[-1]:
        message = f"the input has {a[-1]} features, the weight wants {w[-1]}."
        return message, (len(a) - 1, len(w) - 1), f"Try nn.Linear({a[-1]}, {w[0]}), or an input of {w[-1]} features."
    return f"a bias of shape {np.shape(bias)} does not fit a weight of shape {w}.", (None, 0, 0)


_linear_op = Op(
    "linear",
    _linear,
    (_linear_dx, _linear_dw, lambda g, x, weight: g),
    saves=(0, 1),
    uses=((1,), (0,)),
    explain=_explain_linear,
    names=("input", "weight", "bias"),
)


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias``.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features).
        bias: (out_features), or None.

    Returns:
        (..., out_features). Gradient: ``g @ weight``, ``g.T @ input``, and ``g`` summed.

    Raises:
        ShapeError: the numbers of features differ.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.linear(ts.ones(1, 2), ts.tensor([[1.0, 2.0]]), ts.tensor([0.5]))
        tensor([[3.5000]])
    """
    return run(_linear_op, (input, weight, bias))
