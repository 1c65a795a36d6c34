"""What networks bend their values with: relu, gelu, sigmoid, tanh, softmax and their kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backends import jit
from . import record
from .elementwise import cast, exp, where
from .record import Op, axis_of, run, run_one, through_float32, unary
from .reduce import sum

relu = unary(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda g, out: g * (out > 0),
    ("out",),
    doc="""
``max(input, 0)``. Gradient: ``g`` where the input is positive.

Example:
    >>> import tapescope as ts
    >>> ts.relu(ts.tensor([-1.0, 2.0]))
    tensor([0., 2.])
""",
)

tanh = unary(
    "tanh",
    np.tanh,
    lambda g, out: g * (1 - out * out),
    ("out",),
    result="float",
    doc="""
The hyperbolic tangent. Gradient: ``g * (1 - out**2)``.

Example:
    >>> import tapescope as ts
    >>> ts.tanh(ts.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
""",
)


@through_float32
def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1, e) / (1 + e)


sigmoid = unary(
    "sigmoid",
    _sigmoid,
    lambda g, out: g * (out * (1 - out)),
    ("out",),
    result="float",
    doc="""
``1 / (1 + exp(-input))``. Gradient: ``g * out * (1 - out)``.

Example:
    >>> import tapescope as ts
    >>> ts.sigmoid(ts.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
""",
)


@through_float32
def _logsigmoid(x: np.ndarray) -> np.ndarray:
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


logsigmoid = unary(
    "logsigmoid",
    _logsigmoid,
    lambda g, x: g * sigmoid(-x),
    (0,),
    result="float",
    doc="""
``log(sigmoid(input))``, accurate on both sides. Gradient: ``g * sigmoid(-input)``.

Example:
    >>> import tapescope as ts
    >>> ts.nn.functional.logsigmoid(ts.tensor([0.0, -100.0]))
    tensor([  -0.6931, -100.0000])
""",
)


# -- gelu: one scalar function and its derivative, compiled ----------------------------------------------------

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE = math.sqrt(2 / math.pi)


@jit.elementwise
def _gelu_kernel(x: Any) -> Any:
    return 0.5 * x * (1.0 + math.erf(x * 0.7071067811865476))


@jit.elementwise
def _gelu_vjp_kernel(g: Any, x: Any) -> Any:
    cumulative = 0.5 * (1.0 + math.erf(x * 0.7071067811865476))
    return g * (cumulative + x * 0.3989422804014327 * math.exp(-0.5 * x * x))


_python_erf = np.frompyfunc(math.erf, 1, 1)


def _erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(_python_erf(x), x.dtype)


def _compiled(x: np.ndarray) -> bool:
    return x.dtype.char in "fd" and jit.available()


@through_float32
def _gelu_exact(x: np.ndarray) -> np.ndarray:
    if _compiled(x):
        return _gelu_kernel(x)
    return 0.5 * x * (1 + _erf(x * x.dtype.type(_SQRT_HALF)))


@through_float32
def _gelu_exact_vjp(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    if _compiled(x):
        return _gelu_vjp_kernel(g, x)
    density = np.exp(-0.5 * x * x) * x.dtype.type(_DENSITY)
    return g * (0.5 * (1 + _erf(x * x.dtype.type(_SQRT_HALF))) + x * density)


def _gelu_second(h: Any, g: Any, x: Any) -> Any:
    """The derivative of the derivative is ``density(x) * (2 - x**2)``."""
    return h * g * ((2 - x * x) * exp(x * x * -0.5) * _DENSITY)


_gelu_backward: Op = Op("gelu_backward", _gelu_exact_vjp, (lambda h, g, x: run(_gelu_backward, (h, x)), _gelu_second),
                    saves=(0, 1), result="float", names=("grad", "input"))  # fmt: skip
_gelu = Op("gelu", _gelu_exact, (lambda g, x: run(_gelu_backward, (g, x)),), saves=(0,), result="float")


@through_float32
def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(x.dtype.type(_TANH_SCALE) * (x + 0.044715 * x * x * x)))


def _gelu_tanh_vjp(g: Any, x: Any) -> Any:
    t = tanh((x + x * x * x * 0.044715) * _TANH_SCALE)
    inner = (x * x * (3 * 0.044715) + 1) * _TANH_SCALE
    return g * ((t + 1) * 0.5 + x * (1 - t * t) * inner * 0.5)


_gelu_approximate = Op("gelu", _gelu_tanh, (_gelu_tanh_vjp,), saves=(0,), result="float")
record.OPS["gelu"], record.OPS["gelu_tanh"] = _gelu, _gelu_approximate


def gelu(input: Any, approximate: str = "none") -> Any:
    """``input * Phi(input)``, Phi the normal distribution function; with ``approximate="tanh"`` its usual approximation.

    Gradient: ``g * (Phi(input) + input * phi(input))``. Source: Hendrycks and Gimpel, 2016.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.gelu(ts.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}.")
    return run_one(_gelu if approximate == "none" else _gelu_approximate, input)


def _silu_vjp(g: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s * (x * (1 - s) + 1))


silu = unary(
    "silu",
    lambda x: x * _sigmoid(x),
    _silu_vjp,
    (0,),
    result="float",
    doc="""
``input * sigmoid(input)``. Gradient: ``g * s * (1 + input * (1 - s))`` with ``s = sigmoid(input)``.

Example:
    >>> import tapescope as ts
    >>> ts.nn.functional.silu(ts.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
""",
)

_leaky_relu = Op("leaky_relu", lambda x, slope: np.where(x > 0, x, x * x.dtype.type(slope)),
                 (lambda g, x, slope: where(x > 0, g, g * slope),), saves=(0,))  # fmt: skip


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """``input`` where positive, ``negative_slope * input`` elsewhere. Gradient: ``g`` times 1 or the slope.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.leaky_relu(ts.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    return run_one(_leaky_relu, input, (negative_slope,))


@through_float32
def _softplus(x: np.ndarray, beta: float, threshold: float) -> np.ndarray:
    scaled = x * x.dtype.type(beta)
    smooth = (np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))) / x.dtype.type(beta)
    return np.where(scaled > threshold, x, smooth)


_softplus_op = Op(
    "softplus", _softplus, (lambda g, x, beta, threshold: g * sigmoid(x * beta),), saves=(0,), result="float"
)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + exp(beta * input)) / beta``; the input itself above the threshold. Gradient: ``g * sigmoid(beta * input)``.

    Example:
        >>> import tapescope as ts
        >>> ts.nn.functional.softplus(ts.tensor([0.0, 30.0]))
        tensor([ 0.6931, 30.0000])
    """
    return run_one(_softplus_op, input, (beta, threshold))


# -- over an axis ----------------------------------------------------------------------------------------------


SMALL = 4096  # elements up to which one compiled pass beats NumPy's five, whose exp is the faster one on many


@jit.kernel
def _softmax_rows(x: Any, out: Any, logarithm: Any) -> None:
    for i in range(x.shape[0]):
        top = x[i, 0]
        for j in range(1, x.shape[1]):
            top = max(top, x[i, j])
        mass = 0.0
        for j in range(x.shape[1]):
            out[i, j] = math.exp(x[i, j] - top)
            mass += out[i, j]
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] - top - math.log(mass) if logarithm else out[i, j] / mass


def _in_one_pass(x: np.ndarray, axis: int, logarithm: bool) -> np.ndarray | None:
    if not 0 < x.size <= SMALL or axis != x.ndim - 1 or not x.flags.c_contiguous or not _compiled(x):
        return None
    out = np.empty(x.shape, x.dtype)
    rows = (-1, x.shape[-1])
    _softmax_rows(x.reshape(rows), out.reshape(rows), logarithm)
    return out


@through_float32
def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    out = _in_one_pass(x, axis, False)
    if out is not None:
        return out
    e = x - np.maximum.reduce(x, axis, keepdims=True)
    np.exp(e, out=e)
    e /= np.add.reduce(e, axis, keepdims=True)
    return e


@through_float32
def _log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    out = _in_one_pass(x, axis, True)
    if out is not None:
        return out
    shifted = x - np.maximum.reduce(x, axis, keepdims=True)
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis, keepdims=True))
    return shifted


def _softmax_vjp(g: Any, out: Any, axis: int) -> Any:
    weighted = g * out
    return weighted - out * sum(weighted, axis, True)


_softmax_op = Op("softmax", _softmax, (_softmax_vjp,), saves=("out",), result="float",
                 rule=lambda x, dim: (axis_of(dim, x.ndim, "softmax"),))  # fmt: skip
_log_softmax_op = Op("log_softmax", _log_softmax, (lambda g, out, axis: g - exp(out) * sum(g, axis, True),),
                     saves=("out",), result="float", rule=lambda x, dim: (axis_of(dim, x.ndim, "log_softmax"),))  # fmt: skip


def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """Exponentials over ``dim`` that sum to one. Gradient: ``out * (g - sum(g * out))``.

    Example:
        >>> import tapescope as ts
        >>> ts.softmax(ts.tensor([1.0, 2.0, 3.0]), dim=0)
        tensor([0.0900, 0.2447, 0.6652])
    """
    return run_one(_softmax_op, input if dtype is None else cast(input, dtype.dtype), (dim,))


def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """``log(softmax(input))``, computed without losing digits. Gradient: ``g - softmax * sum(g)``.

    Example:
        >>> import tapescope as ts
        >>> ts.log_softmax(ts.tensor([1.0, 2.0, 3.0]), dim=0)
        tensor([-2.4076, -1.4076, -0.4076])
    """
    return run_one(_log_softmax_op, input if dtype is None else cast(input, dtype.dtype), (dim,))
