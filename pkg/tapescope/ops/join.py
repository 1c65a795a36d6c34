"""Joining tensors and taking them apart: cat, stack, narrow, split, chunk, unbind. What is taken apart is a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import IndexingError, ShapeError
from .record import Op, axis_of, ndarray, run, run_one
from .shape import Shape

# -- joining -------------------------------------------------------------------------------------------------------


def _cat_rule(arrays: Sequence[ndarray], dim: int) -> tuple[int, tuple[int, ...]]:
    if not arrays:
        raise ShapeError("cat: got no tensors.", op="cat")
    axis = axis_of(dim, arrays[0].ndim, "cat")
    return axis, tuple(a.shape[axis] if a.ndim else 1 for a in arrays)


def _cat_vjp(g: Any, needs: Sequence[bool], axis: int, sizes: tuple[int, ...]) -> list[Any]:
    grads, start = [], 0
    for wanted, size in zip(needs, sizes, strict=True):
        grads.append(narrow(g, axis, start, size) if wanted else None)
        start += size
    return grads


def _explain_cat(arrays: Sequence[ndarray], dim: int) -> tuple[str, Sequence[int | None]]:
    shapes = ", ".join(str(a.shape) for a in arrays)
    return f"sizes must be equal except in dim {dim}; the shapes are {shapes}.", ()


_cat = Op("cat", lambda arrays, axis, sizes: np.concatenate(arrays, axis), _cat_vjp, rule=_cat_rule, variadic=True,
    promotes=0,
          explain=_explain_cat)  # fmt: skip
_stack = Op("stack", lambda arrays, axis: np.stack(arrays, axis),
            lambda g, needs, axis: [piece if n else None for piece, n in zip(unbind(g, axis), needs, strict=True)],
            rule=lambda arrays, dim: (axis_of(dim, arrays[0].ndim + 1, "stack"),), variadic=True,
    promotes=0,
            explain=_explain_cat)  # fmt: skip


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors one after the other along ``dim``. Gradient: the pieces of ``g``.

    Raises:
        ShapeError: their other sizes differ.

    Example:
        >>> import tapescope as ts
        >>> ts.cat([ts.zeros(1, 2), ts.ones(1, 2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    return run(_cat, tuple(tensors), (dim,))


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors side by side along a new dimension ``dim``. Gradient: the slices of ``g``.

    Raises:
        ShapeError: their shapes differ.

    Example:
        >>> import tapescope as ts
        >>> ts.stack([ts.zeros(2), ts.ones(2)], dim=1)
        tensor([[0., 1.],
                [0., 1.]])
    """
    return run(_stack, tuple(tensors), (dim,))


# -- splitting -----------------------------------------------------------------------------------------------------


def _cut(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, slice(start, stop))


def _pad_cut(g: ndarray, axis: int, start: int, size: int, shape: Shape) -> ndarray:
    out = np.zeros(shape, g.dtype)
    out[_cut(axis, start, start + size)] = g
    return out


_narrow_backward = Op("narrow_backward", _pad_cut, (lambda h, axis, start, size, shape: narrow(h, axis, start, size),))
_narrow = Op("narrow", lambda x, axis, start, size, shape: x[_cut(axis, start, start + size)],
             (lambda g, *attributes: run_one(_narrow_backward, g, attributes),), view=True,
             rule=lambda x, dim, start, length: _narrow_rule(x, dim, start, length))  # fmt: skip


def _narrow_rule(x: ndarray, dim: int, start: int, length: int) -> tuple[int, int, int, Shape]:
    axis = axis_of(dim, x.ndim, "narrow")
    begin = start + x.shape[axis] if start < 0 else start
    if not 0 <= begin <= begin + length <= x.shape[axis]:
        raise IndexingError(
            f"narrow: {length} elements from {start} do not lie in dim {dim} of {x.shape}.", op="narrow"
        )
    return axis, begin, length, x.shape


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """``length`` elements of ``dim`` from ``start`` on. A view. Gradient: ``g`` with zeros around it.

    Example:
        >>> import tapescope as ts
        >>> ts.narrow(ts.arange(5), 0, 1, 3)
        tensor([1, 2, 3])
    """
    return run_one(_narrow, input, (dim, start, length))


def _split_sizes(x: ndarray, size: Any, dim: int) -> tuple[int, tuple[int, ...]]:
    axis = axis_of(dim, x.ndim, "split")
    n = x.shape[axis] if x.ndim else 0
    if isinstance(size, (tuple, list)):
        sizes = tuple(int(s) for s in size)
        if sum(sizes) != n or min(sizes, default=0) < 0:
            raise ShapeError(f"split: sizes {sizes} do not add up to the {n} of dim {dim} of {x.shape}.", op="split")
    else:
        if size <= 0:
            raise ShapeError(f"split: split_size must be positive, got {size}.", op="split")
        sizes = (*[size] * (n // size), *([n % size] if n % size or not n else []))
    return axis, sizes


def _split(x: ndarray, axis: int, sizes: tuple[int, ...]) -> tuple[ndarray, ...]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(x[_cut(axis, start, start + size)])
        start += size
    return tuple(pieces)


_split_op = Op("split", _split, (lambda gs, axis, sizes: cat(gs, axis),), rule=_split_sizes, view=True, outputs=True)


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Pieces of a size (the last may be smaller), or of several sizes, along ``dim``. Views. Gradient: ``g`` joined.

    Example:
        >>> import tapescope as ts
        >>> [len(piece) for piece in ts.split(ts.arange(5), 2)]
        [2, 2, 1]
    """
    return run_one(_split_op, tensor, (split_size_or_sections, dim))


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` pieces of equal size (the last may be smaller) along ``dim``. Views.

    Example:
        >>> import tapescope as ts
        >>> [len(piece) for piece in ts.chunk(ts.arange(6), 4)]
        [2, 2, 2]
    """
    if chunks < 1:
        raise ShapeError(f"chunk: chunks must be positive, got {chunks}.", op="chunk")
    n = input.shape[axis_of(dim, input.ndim, "chunk")]
    return run_one(_split_op, input, (max(1, -(-n // chunks)), dim))


def _unbind_rule(x: ndarray, dim: int) -> tuple[int]:
    if not x.ndim:
        raise ShapeError("unbind: a 0-d tensor has no dimension to take apart.", op="unbind")
    return (axis_of(dim, x.ndim, "unbind"),)


_unbind = Op("unbind", lambda x, axis: tuple(np.moveaxis(x, axis, 0)[i, ...] for i in range(x.shape[axis])),
             (lambda gs, axis: stack(gs, axis),), rule=_unbind_rule, view=True, outputs=True)  # fmt: skip


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """All slices along ``dim``. Views. Gradient: ``g`` stacked.

    Example:
        >>> import tapescope as ts
        >>> ts.unbind(ts.tensor([[1, 2], [3, 4]]))[1]
        tensor([3, 4])
    """
    return run_one(_unbind, input, (dim,))
