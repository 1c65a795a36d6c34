"""Reductions: sums, means, extremes, variance, and the like, over all or some dimensions."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from . import join
from . import shape as shapes
from .compare import array
from .context import composite
from .elementwise import cast, sqrt
from .record import Op, axes_of, axis_of, run, run_one, through_float32

_plus: Any = np.add.reduce  # NumPy's stubs do not take its arguments by position, which is how they are fast
_times: Any = np.multiply.reduce


def restore(g: Any, axes: tuple[int, ...] | None, keepdim: bool, shape: tuple[int, ...]) -> Any:
    """A reduced gradient with its reduced dimensions put back as ones, so that it broadcasts against the input."""
    if keepdim or axes is None:
        return g
    return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _spread(g: Any, axes: tuple[int, ...] | None, keepdim: bool, shape: tuple[int, ...]) -> Any:
    return shapes.expand_to(restore(g, axes, keepdim, shape), shape)


def _rule(name: str) -> Any:
    def rule(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> tuple[Any, ...]:
        return axes_of(dim, x.ndim, name), keepdim, x.shape

    return rule


# -- sum, mean, prod -------------------------------------------------------------------------------------------


_ONES: dict[tuple[int, str], np.ndarray] = {}
_SMALL = 1024  # elements up to which a product with ones is as exact as a reduction, and twice as fast


def total(x: np.ndarray) -> Any:
    """The sum of all elements of a floating-point array."""
    size, kind = x.size, x.dtype.char
    if size > _SMALL or kind not in "fd" or not x.flags.c_contiguous:
        return _plus(x, None, np.float32).astype(x.dtype) if x.dtype.itemsize == 2 else _plus(x, None)
    ones = _ONES.get((size, kind))
    if ones is None:
        ones = _ONES[size, kind] = np.ones(size, kind)
    return x.ravel().dot(ones)


def _sum(x: np.ndarray, axes: Any, keepdim: bool, shape: tuple[int, ...]) -> Any:
    if x.dtype.char in "fdFD":
        return total(x) if axes is None and not keepdim else _plus(x, axes, None, None, keepdim)
    if x.dtype.kind in "bui":
        return _plus(x, axes, np.int64, keepdims=keepdim)
    return _plus(x, axes, np.float32, keepdims=keepdim).astype(x.dtype)  # half precision sums in float32


_sum_op = Op("sum", _sum, (_spread,), rule=_rule("sum"))


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum of all elements, or over ``dim`` (an integer or several). Integers and bools sum as int64.

    Gradient: ``g``, expanded.

    Example:
        >>> import tapescope as ts
        >>> ts.sum(ts.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([4., 6.])
    """
    return run_one(_sum_op, input if dtype is None else cast(input, dtype.dtype), (dim, keepdim))


def _count(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> int:
    count = 1
    for i in range(len(shape)) if axes is None else axes:
        count *= shape[i]
    return count


def _mean(x: np.ndarray, axes: Any, keepdim: bool, shape: tuple[int, ...]) -> Any:
    if x.dtype.kind in "bui":
        raise DtypeError(
            f"mean: the input has dtype {x.dtype}, expected a floating-point one.", hint="Try x.float().mean()."
        )
    count = _count(shape, axes) or np.nan
    if x.dtype.itemsize == 2:
        return (_plus(x, axes, np.float32, keepdims=keepdim) / np.float32(count)).astype(x.dtype)
    whole = total(x) if axes is None and not keepdim else _plus(x, axes, None, None, keepdim)
    return whole / x.dtype.type(count)


_mean_op = Op("mean", _mean, (lambda g, axes, keepdim, shape: _spread(g / _count(shape, axes), axes, keepdim, shape),),
              rule=_rule("mean"))  # fmt: skip


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean of all elements, or over ``dim``. Gradient: ``g / n``, expanded.

    Raises:
        DtypeError: the input is of integers or bools.

    Example:
        >>> import tapescope as ts
        >>> ts.mean(ts.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor(2.5000)
    """
    return run_one(_mean_op, input if dtype is None else cast(input, dtype.dtype), (dim, keepdim))


def _prod(x: np.ndarray, axes: Any, keepdim: bool, shape: tuple[int, ...]) -> Any:
    kind = np.int64 if x.dtype.kind in "bui" else x.dtype
    return _times(x, axes, kind, keepdims=keepdim)


def _prod_vjp(g: Any, x: Any, axes: Any, keepdim: bool, shape: tuple[int, ...]) -> Any:
    """The product of all the others, as products from the left and from the right: right where elements are zero."""
    if 0 in shape:
        return x * 0
    axis = axes[0] if axes is not None else None
    flat = x.reshape((-1,)) if axis is None else x
    others = _products_of_others(flat, 0 if axis is None else axis)
    return restore(g, axes, keepdim, shape) * others.reshape(shape)


def _products_of_others(x: Any, axis: int) -> Any:
    pieces = join.unbind(x, axis)
    left: list[Any] = []
    right: list[Any] = []
    for source, into in ((pieces, left), (pieces[::-1], right)):
        running = None
        for piece in source:
            into.append(piece * 0 + 1 if running is None else running)
            running = piece if running is None else running * piece
    return join.stack([a * b for a, b in zip(left, right[::-1], strict=True)], axis)


_prod_op = Op("prod", _prod, (_prod_vjp,), saves=(0,), rule=_rule("prod"))


def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product of all elements, or over one ``dim``. Gradient: ``g`` times the product of the others.

    Example:
        >>> import tapescope as ts
        >>> ts.prod(ts.tensor([2.0, 3.0, 4.0]))
        tensor(24.)
    """
    return run_one(_prod_op, input if dtype is None else cast(input, dtype.dtype), (dim, keepdim))


# -- extremes --------------------------------------------------------------------------------------------------


def _extreme_rule(name: str) -> Any:
    base = _rule(name)

    def rule(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> tuple[Any, ...]:
        attributes = base(x, dim, keepdim)
        if x.size == 0 and any_empty(x.shape, attributes[0]):
            raise ShapeError(
                f"{name}: nothing to choose from: the input has shape {x.shape}.", hint="Check for an empty batch."
            )
        return attributes

    return rule


def any_empty(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> bool:
    """Whether one of the reduced dimensions has no element."""
    return 0 in (shape if axes is None else [shape[i] for i in axes])


def _extreme_vjp(g: Any, x: Any, out: Any, axes: Any, keepdim: bool, shape: tuple[int, ...]) -> Any:
    """Equal shares to all elements that reach the extreme."""
    hit = x == restore(out, axes, keepdim, shape)
    share = sum(cast(hit, x.dtype if type(x) is np.ndarray else x.dtype.dtype), axes, True)
    return restore(g, axes, keepdim, shape) * hit / share


amax_op = Op("amax", lambda x, axes, keepdim, shape: np.maximum.reduce(x, axes, keepdims=keepdim), (_extreme_vjp,),
             saves=(0, "out"), rule=_extreme_rule("amax"))  # fmt: skip
amin_op = Op("amin", lambda x, axes, keepdim, shape: np.minimum.reduce(x, axes, keepdims=keepdim), (_extreme_vjp,),
             saves=(0, "out"), rule=_extreme_rule("amin"))  # fmt: skip


def amax(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element, of all or over ``dim``. Gradient: shared equally among equal largest elements.

    Example:
        >>> import tapescope as ts
        >>> ts.amax(ts.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
        tensor([2., 3.])
    """
    return run_one(amax_op, input, (None if dim == () else dim, keepdim))


def amin(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element, of all or over ``dim``. Gradient: shared equally among equal smallest elements.

    Example:
        >>> import tapescope as ts
        >>> ts.amin(ts.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
        tensor([1., 0.])
    """
    return run_one(amin_op, input, (None if dim == () else dim, keepdim))


def _pick(x: np.ndarray, places: np.ndarray, axis: int, keepdim: bool) -> Any:
    if x.ndim == 0:
        return x.copy()
    out = np.take_along_axis(x, places, axis)
    return out if keepdim else out.squeeze(axis)


def _place(g: Any, places: Any, axis: int, keepdim: bool, shape: tuple[int, ...]) -> Any:
    if not shape:
        return g
    return run(_unpick_op, (restore(g, (axis,), keepdim, shape), places), (axis, shape))


def _unpick(g: np.ndarray, places: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape, g.dtype)
    np.put_along_axis(out, places, g, axis)
    return out


def _unpick_vjp(h: Any, places: Any, axis: int, shape: tuple[int, ...]) -> Any:
    return run(_pick_op, (h, places), (axis, True))


_unpick_op = Op("unpick", _unpick, (_unpick_vjp, None), saves=(1,))
_pick_op = Op("pick", lambda x, places, axis, keepdim, shape: _pick(x, places, axis, keepdim), (_place, None), saves=(1,),
              rule=lambda x, places, axis, keepdim: (axis, keepdim, x.shape))  # fmt: skip

max_result: Any = namedtuple("max", ["values", "indices"])  # type: ignore[name-match]
min_result: Any = namedtuple("min", ["values", "indices"])  # type: ignore[name-match]


def _extreme_along(name: str, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    x = array(input)
    axis = axis_of(dim, x.ndim, name)
    _extreme_rule(name)(x, dim, keepdim)
    find = np.argmax if name == "max" else np.argmin
    places = np.expand_dims(find(x, axis), axis) if x.ndim else np.zeros((), np.int64)
    values = run(_pick_op, (input, places), (axis, keepdim))
    return values, places if keepdim or not x.ndim else places.squeeze(axis)


def extreme(name: str, input: Any, dim: Any, keepdim: bool) -> tuple[Any, Any]:
    """Values and indices of ``max`` or ``min`` along ``dim``; the indices as an array."""
    return _extreme_along(name, input, dim, keepdim)


def _arg(name: str, find: Any) -> Any:
    def forward(x: np.ndarray, axis: int | None, keepdim: bool) -> Any:
        out = find(x, axis, keepdims=keepdim)
        return np.asarray(out, np.int64)

    def rule(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> tuple[Any, ...]:
        axis = None if dim is None or not x.ndim else axis_of(dim, x.ndim, name)
        _extreme_rule(name)(x, dim if x.ndim else None, keepdim)
        return axis, keepdim

    return Op(name, forward, rule=rule)


_argmax_op, _argmin_op = _arg("argmax", np.argmax), _arg("argmin", np.argmin)


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the largest element is (int64): in the flattened input, or along ``dim``; the first of equals.

    Example:
        >>> import tapescope as ts
        >>> ts.argmax(ts.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
        tensor([1, 0])
    """
    return run_one(_argmax_op, input, (dim, keepdim))


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the smallest element is (int64): in the flattened input, or along ``dim``; the first of equals.

    Example:
        >>> import tapescope as ts
        >>> ts.argmin(ts.tensor([[1.0, 2.0], [3.0, 0.0]]), dim=1)
        tensor([0, 1])
    """
    return run_one(_argmin_op, input, (dim, keepdim))


# -- spread ----------------------------------------------------------------------------------------------------


@through_float32
def _var(x: np.ndarray, axes: Any, keepdim: bool, shape: tuple[int, ...], correction: float) -> Any:
    if x.dtype.kind in "bui":
        raise DtypeError(
            f"var: the input has dtype {x.dtype}, expected a floating-point one.", hint="Try x.float().var()."
        )
    centred = x - x.mean(axes, keepdims=True)
    free = _count(shape, axes) - correction
    total = _plus(centred * centred, axes, keepdims=keepdim)
    return total / x.dtype.type(free) if free > 0 else total * x.dtype.type(np.nan)


def _var_vjp(g: Any, x: Any, axes: Any, keepdim: bool, shape: tuple[int, ...], correction: float) -> Any:
    centred = x - mean(x, axes, True)
    free = _count(shape, axes) - correction
    return restore(g, axes, keepdim, shape) * centred * (2.0 / free if free > 0 else float("nan"))


_var_op = Op("var", _var, (_var_vjp,), saves=(0,),
             rule=lambda x, dim, keepdim, correction: (*_rule("var")(x, dim, keepdim), correction))  # fmt: skip


def var(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Any:  # fmt: skip
    """The variance of all elements, or over ``dim``; divided by ``n - correction`` (1 if not given).

    Gradient: ``2 * g * (input - mean) / (n - correction)``.

    Example:
        >>> import tapescope as ts
        >>> ts.var(ts.tensor([1.0, 2.0, 3.0, 4.0]))
        tensor(1.6667)
    """
    return run_one(_var_op, input, _spread_arguments(dim, unbiased, keepdim, correction))


def _spread_arguments(dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> tuple[Any, bool, float]:
    if isinstance(dim, bool):  # var(unbiased), the old form
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return dim, keepdim, correction


@composite
def std(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Any:  # fmt: skip
    """The square root of :func:`var`.

    Example:
        >>> import tapescope as ts
        >>> ts.std(ts.tensor([1.0, 2.0, 3.0, 4.0]))
        tensor(1.2910)
    """
    return sqrt(run_one(_var_op, input, _spread_arguments(dim, unbiased, keepdim, correction)))


# -- logic -----------------------------------------------------------------------------------------------------

_all_op = Op("all", lambda x, axes, keepdim, shape: np.all(x, axes, keepdims=keepdim), rule=_rule("all"))
_any_op = Op("any", lambda x, axes, keepdim, shape: np.any(x, axes, keepdims=keepdim), rule=_rule("any"))


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether all elements are true (not zero).

    Example:
        >>> import tapescope as ts
        >>> ts.all(ts.tensor([True, False]))
        tensor(False)
    """
    return run_one(_all_op, input, (dim, keepdim))


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether some element is true (not zero).

    Example:
        >>> import tapescope as ts
        >>> ts.any(ts.tensor([True, False]))
        tensor(True)
    """
    return run_one(_any_op, input, (dim, keepdim))
