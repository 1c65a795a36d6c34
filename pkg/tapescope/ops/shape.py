"""Other shapes and orders of the same elements: views where NumPy can, copies where it must."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .record import Op, axis_of, ndarray, run, run_one

Shape = tuple[int, ...]


def shape_arguments(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        return tuple(sizes[0])
    return sizes


# -- one view onto the same elements in the same order -----------------------------------------------------------


def full_shape(wanted: Sequence[Any], old: Shape, name: str = "reshape") -> Shape:
    """``wanted`` with its -1 filled in.

    Raises:
        ShapeError: the numbers of elements differ.
    """
    new = tuple(n.__index__() for n in wanted)
    size = math.prod(old)
    if new.count(-1) == 1:
        rest = -math.prod(new)
        if rest and size % rest == 0:
            new = tuple(size // rest if n == -1 else n for n in new)
        elif not rest and not size:
            raise ShapeError(f"{name}: -1 in shape {new} is ambiguous: the input {old} has no elements.", op=name)
    if min(new, default=0) < 0 or math.prod(new) != size:
        hint = f"{size} elements do not fill {new}."
        raise ShapeError(f"{name}: cannot view {old} as {tuple(wanted)}: {hint}", op=name)
    return new


def _explain_view(name: str) -> Any:
    def explain(x: ndarray, *sizes: Any) -> tuple[str, tuple[None]]:
        full_shape(sizes, x.shape, name)  # raises
        return f"cannot view {x.shape} as {sizes}.", (None,)

    return explain


def _view_op(name: str, rule: Any) -> Op:
    """An op that gives the same elements another shape; its rule gives (new shape, old shape)."""
    return Op(
        name,
        lambda x, new, old: x.reshape(new),
        (lambda g, new, old: g.reshape(old),),
        rule=rule,
        view=True,
        explain=_explain_view(name),
        names=("input",),
    )


_reshape = _view_op("reshape", lambda x, *sizes: (sizes, x.shape))


def reshape(input: Any, *shape: Any) -> Any:
    """The same elements in another shape; one size may be -1. A view where memory allows. Gradient: ``g`` reshaped back.

    Raises:
        ShapeError: the numbers of elements differ.

    Example:
        >>> import tapescope as ts
        >>> ts.reshape(ts.arange(4), (2, -1))
        tensor([[0, 1],
                [2, 3]])
    """
    return run_one(_reshape, input, shape_arguments(shape))


def _view_rule(x: ndarray, *sizes: Any) -> tuple[Shape, Shape]:
    new = full_shape(sizes, x.shape, "view")
    if not x.flags.c_contiguous and x.size and not np.may_share_memory(x.reshape(new), x):
        raise ShapeError(
            f"view: memory of strides {x.strides} bytes, shape {x.shape}, cannot be viewed as {new} without a copy.",
            op="view",
            hint="Use reshape(), which copies where it must.",
        )
    return new, x.shape


_view = _view_op("view", _view_rule)


def view(input: Any, *shape: Any) -> Any:
    """As :func:`reshape`, but never a copy.

    Raises:
        ShapeError: the numbers of elements differ, or only a copy could have that shape.

    Example:
        >>> import tapescope as ts
        >>> ts.arange(4).view(2, 2)
        tensor([[0, 1],
                [2, 3]])
    """
    return run_one(_view, input, shape_arguments(shape))


def _flatten_rule(x: ndarray, start: int, end: int) -> tuple[Shape, Shape]:
    first, last = axis_of(start, x.ndim, "flatten"), axis_of(end, x.ndim, "flatten")
    if first > last:
        raise ShapeError(f"flatten: start_dim {start} comes after end_dim {end}.", op="flatten")
    if not x.ndim:
        return (1,), ()
    return (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]), x.shape


_flatten = _view_op("flatten", _flatten_rule)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dimensions from ``start_dim`` to ``end_dim`` made one.

    Example:
        >>> import tapescope as ts
        >>> ts.flatten(ts.zeros(2, 3, 4), 1).shape
        tapescope.Size([2, 12])
    """
    return run_one(_flatten, input, (start_dim, end_dim))


def _unflatten_rule(x: ndarray, dim: int, sizes: Sequence[int]) -> tuple[Shape, Shape]:
    axis = axis_of(dim, x.ndim, "unflatten")
    return (*x.shape[:axis], *full_shape(sizes, (x.shape[axis],), "unflatten"), *x.shape[axis + 1 :]), x.shape


_unflatten = _view_op("unflatten", _unflatten_rule)


def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Dimension ``dim`` split into ``sizes``; one may be -1.

    Example:
        >>> import tapescope as ts
        >>> ts.unflatten(ts.zeros(2, 12), 1, (3, -1)).shape
        tapescope.Size([2, 3, 4])
    """
    return run_one(_unflatten, input, (dim, sizes))


def _squeeze_rule(x: ndarray, dim: Any = None) -> tuple[Shape, Shape]:
    if dim is None:
        return tuple(n for n in x.shape if n != 1), x.shape
    axes = {axis_of(d, x.ndim, "squeeze") for d in (dim if isinstance(dim, (tuple, list)) else (dim,))}
    return tuple(n for i, n in enumerate(x.shape) if i not in axes or n != 1), x.shape


_squeeze = _view_op("squeeze", _squeeze_rule)


def squeeze(input: Any, dim: Any = None) -> Any:
    """Without the dimensions of size one: all, or those of ``dim``.

    Example:
        >>> import tapescope as ts
        >>> ts.squeeze(ts.zeros(1, 2, 1)).shape
        tapescope.Size([2])
    """
    return run_one(_squeeze, input, () if dim is None else (dim,))


def _unsqueeze_rule(x: ndarray, dim: int) -> tuple[Shape, Shape]:
    axis = axis_of(dim, x.ndim + 1, "unsqueeze")
    return (*x.shape[:axis], 1, *x.shape[axis:]), x.shape


_unsqueeze = _view_op("unsqueeze", _unsqueeze_rule)


def unsqueeze(input: Any, dim: int) -> Any:
    """With a new dimension of size one at ``dim``.

    Example:
        >>> import tapescope as ts
        >>> ts.unsqueeze(ts.zeros(2, 3), 1).shape
        tapescope.Size([2, 1, 3])
    """
    return run_one(_unsqueeze, input, (dim,))


# -- other orders of the same elements ----------------------------------------------------------------------------


def _inverse(order: Shape) -> Shape:
    inverse = [0] * len(order)
    for i, axis in enumerate(order):
        inverse[axis] = i
    return tuple(inverse)


def _permute_rule(x: ndarray, *dims: Any) -> tuple[Shape]:
    order = tuple(axis_of(d, x.ndim, "permute") for d in dims)
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(
            f"permute: dims {dims} do not name each of the {x.ndim} dimensions of {x.shape} once.", op="permute"
        )
    return (order,)


_permute = Op("permute", lambda x, order: x.transpose(order), (lambda g, order: permute(g, _inverse(order)),),
              rule=_permute_rule, view=True)  # fmt: skip


def permute(input: Any, *dims: Any) -> Any:
    """The dimensions in another order. A view. Gradient: ``g`` in the old order.

    Example:
        >>> import tapescope as ts
        >>> ts.permute(ts.zeros(2, 3, 4), (2, 0, 1)).shape
        tapescope.Size([4, 2, 3])
    """
    return run_one(_permute, input, shape_arguments(dims))


def _transpose_rule(x: ndarray, first: int, second: int) -> tuple[int, int]:
    return axis_of(first, x.ndim, "transpose"), axis_of(second, x.ndim, "transpose")


_transpose = Op("transpose", lambda x, i, j: x.swapaxes(i, j) if x.ndim else x.view(),
                (lambda g, i, j: transpose(g, i, j),), rule=_transpose_rule, view=True)  # fmt: skip


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two dimensions exchanged. A view. Gradient: ``g`` with them exchanged.

    Example:
        >>> import tapescope as ts
        >>> ts.transpose(ts.zeros(2, 3), 0, 1).shape
        tapescope.Size([3, 2])
    """
    return run_one(_transpose, input, (dim0, dim1))


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Dimensions moved to other places, the rest keeping their order.

    Example:
        >>> import tapescope as ts
        >>> ts.movedim(ts.zeros(2, 3, 4), 0, -1).shape
        tapescope.Size([3, 4, 2])
    """
    ndim = input.ndim
    one = not isinstance(source, (tuple, list))
    take = [axis_of(d, ndim, "movedim") for d in ((source,) if one else source)]
    put = [axis_of(d, ndim, "movedim") for d in ((destination,) if one else destination)]
    order = [i for i in range(ndim) if i not in take]
    for place, axis in sorted(zip(put, take, strict=True)):
        order.insert(place, axis)
    return run_one(_permute, input, tuple(order))


_flip = Op("flip", lambda x, axes: np.flip(x, axes).copy(), (lambda g, axes: flip(g, axes),),
           rule=lambda x, *dims: (tuple(axis_of(d, x.ndim, "flip") for d in dims),))  # fmt: skip


def flip(input: Any, *dims: Any) -> Any:
    """The order along ``dims`` reversed. A copy. Gradient: ``g`` reversed.

    Example:
        >>> import tapescope as ts
        >>> ts.flip(ts.arange(3), 0)
        tensor([2, 1, 0])
    """
    return run_one(_flip, input, shape_arguments(dims))


# -- more of the same ----------------------------------------------------------------------------------------------


def _broadcast(x: ndarray, shape: Shape) -> ndarray:
    """``np.broadcast_to``, an order of magnitude faster for what gradients are: contiguous."""
    if x.shape == shape:
        return x
    if not isinstance(x, ndarray) or not x.flags.c_contiguous or not x.size:
        return np.broadcast_to(x, shape)
    missing = len(shape) - x.ndim
    strides = tuple(
        0 if i < missing or x.shape[i - missing] == 1 else x.strides[i - missing] for i in range(len(shape))
    )
    return ndarray(shape, x.dtype, x, 0, strides)


def _expand_rule(x: ndarray, *sizes: Any) -> tuple[Shape]:
    missing = len(sizes) - x.ndim
    if missing < 0:
        raise ShapeError(f"expand: {len(sizes)} sizes {sizes} for the {x.ndim} dimensions of {x.shape}.", op="expand")
    shape = tuple(x.shape[i - missing] if n == -1 and i >= missing else n.__index__() for i, n in enumerate(sizes))
    for i, n in enumerate(shape):
        if n < 0 or (i >= missing and x.shape[i - missing] not in (1, n)):
            raise ShapeError(
                f"expand: {x.shape} cannot become {sizes}: dimension {i} can only grow from 1.", op="expand"
            )
    return (shape,)


_expand = Op("expand", _broadcast, (lambda g, shape: g,), rule=_expand_rule, view=True)


def expand(input: Any, *sizes: Any) -> Any:
    """Dimensions of size one repeated without a copy; -1 keeps a size. Gradient: ``g`` summed over what was repeated.

    Example:
        >>> import tapescope as ts
        >>> ts.tensor([[1], [2]]).expand(2, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return run_one(_expand, input, shape_arguments(sizes))


def expand_to(g: Any, shape: Shape) -> Any:
    """:func:`expand` to a shape known to fit."""
    if type(g) is ndarray:
        return _broadcast(g, shape)
    return run(_expand, (np.asarray(g) if isinstance(g, np.generic) else g,), shape)
