"""Indexing and what belongs to it: slices, integers, masks, integer arrays; writing; masked_fill; gather."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import IndexingError
from . import record
from .compare import array
from .elementwise import where
from .record import Op, axis_of, ndarray, run, run_one

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def plain_index(index: Any) -> tuple[tuple[Any, ...], bool]:
    """``index`` as NumPy takes it (tensors become arrays, lists too), and whether it is basic: gives a view."""
    parts = index if type(index) is tuple else (index,)
    basic = True
    plain = []
    for part in parts:
        kind = type(part)
        if kind is slice:
            if part.step is not None and part.step < 0:
                raise IndexingError(f"index: a step must be positive, got {part.step}.", hint="Use flip().")
        elif kind is bool or kind is np.bool_:
            basic, part = False, np.asarray(part)
        elif not isinstance(part, _BASIC):
            part = _index_array(part)
            if part.ndim == 0 and part.dtype != np.bool_:
                part = int(part)
            else:
                basic = False
        plain.append(part)
    return tuple(plain), basic


def two_steps(plain: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Integers beside masks or integer arrays, as PyTorch takes them: first the integers, then the rest.

    NumPy would let the integers take part in the arrays' broadcasting, and put the result's dimensions elsewhere.
    """
    if not any(isinstance(part, (int, np.integer)) for part in plain):
        return None
    first: list[Any] = []
    rest: list[Any] = []
    for part in plain:
        if isinstance(part, (int, np.integer)):
            first.append(part)
            continue
        rest.append(part)
        if isinstance(part, ndarray):
            first.extend([slice(None)] * (part.ndim if part.dtype == np.bool_ else 1))
        elif part is Ellipsis:
            first.append(part)
        elif part is not None:
            first.append(slice(None))
    return tuple(first), tuple(rest)


def _index_array(part: Any) -> ndarray:
    values = array(part)
    if values.dtype == np.uint8 and hasattr(part, "_array"):
        values = values.astype(bool)
    if values.size == 0 and not hasattr(part, "dtype"):
        values = values.astype(np.int64)
    if values.dtype.kind not in "biu":
        raise IndexingError(
            f"index: got a {type(part).__name__} of dtype {values.dtype}, expected integers, slices, None, '...', "
            "or tensors of integers or bools."
        )
    return values


def _explain_index(x: ndarray, index: Any) -> tuple[str, tuple[int | None, ...]]:
    used = 0
    for part in index:
        if part is None or part is Ellipsis:
            continue
        if isinstance(part, ndarray) and part.dtype == np.bool_:
            if part.shape != x.shape[used : used + part.ndim]:
                axis = used if used < x.ndim else None
                return f"a mask of shape {part.shape} does not fit the dimensions of {x.shape} from {used} on.", (axis,)
            used += part.ndim
            continue
        if used >= x.ndim:
            return f"too many indices for a tensor of {x.ndim} dimensions.", (None,)
        worst = _out_of_range(part, x.shape[used])
        if worst is not None:
            return f"index {worst} is out of range for dimension {used} of size {x.shape[used]}.", (used,)
        used += 1
    return f"cannot index a tensor of shape {x.shape} with {index!r:.80}.", (None,)


def _out_of_range(part: Any, size: int) -> int | None:
    if isinstance(part, slice):
        return None
    values = np.asarray(part).reshape(-1)
    bad = values[(values < -size) | (values >= size)]
    return int(bad[0]) if bad.size else None


def _put(g: ndarray, shape: tuple[int, ...], index: tuple[Any, ...], basic: bool) -> ndarray:
    out = np.zeros(shape, g.dtype)
    if basic:
        out[index] = g
    else:
        np.add.at(out, index, g)  # an element may be taken more than once
    return out


def _getitem_vjp(g: Any, index: Any, shape: Any) -> Any:
    return run_one(_put_op, g, (shape, index, True))


def _take_vjp(g: Any, index: Any, shape: Any) -> Any:
    return run_one(_put_op, g, (shape, index, False))


def _slice(x: ndarray, index: tuple[Any, ...], shape: Any) -> ndarray:
    out = x[index]
    return out if type(out) is ndarray else x[(*index, ...)]  # a view, where NumPy would give a number


slice_op = Op("slice", _slice, (_getitem_vjp,),
              rule=lambda x, index: (index, x.shape), view=True, explain=_explain_index, names=("input",))  # fmt: skip
take_op = Op("index", lambda x, index, shape: x[index], (_take_vjp,), rule=lambda x, index: (index, x.shape),
             explain=_explain_index, names=("input",))  # fmt: skip
_put_op = Op("index_backward", _put, (lambda h, shape, index, basic: getitem(h, index),))


def getitem(input: Any, index: Any) -> Any:
    """``input[index]``: slices, integers, None and ``...`` give a view; masks and integer arrays a copy.

    Gradient: ``g`` put back where it was taken, added up where taken more than once.

    Raises:
        IndexingError: out of range, too many indices, or of a kind that cannot index.

    Example:
        >>> import tapescope as ts
        >>> ts.arange(6).reshape(2, 3)[:, [0, 2]]
        tensor([[0, 2],
                [3, 5]])
    """
    plain, basic = plain_index(index)
    out = run_one(slice_op if basic else take_op, input, (plain,))
    return out


# -- writing: the record of x[index] = value ------------------------------------------------------------------------


def _written(x: ndarray, value: ndarray, index: Any) -> ndarray:
    out = x.copy()
    out[index] = value
    return out


def _written_dx(g: Any, index: Any) -> Any:
    return run(setitem_op, (g, np.zeros((), _numpy_dtype(g))), (index,))


def _numpy_dtype(g: Any) -> np.dtype[Any]:
    return array(g).dtype


def _explain_setitem(x: ndarray, value: ndarray, index: Any) -> tuple[str, tuple[int | None, ...]]:
    try:
        place = x[index].shape
    except (IndexError, ValueError):
        return _explain_index(x, index)
    return f"cannot write a value of shape {np.shape(value)} into a place of shape {place}.", (None, None)


setitem_op = Op("setitem", _written, (_written_dx, lambda g, index: getitem(g, index)), explain=_explain_setitem,
                names=("input", "value"))  # fmt: skip


# -- by mask, by number ----------------------------------------------------------------------------------------------

_masked_fill = Op("masked_fill", lambda x, mask, value: np.where(mask, x.dtype.type(value), x),
                  (lambda g, mask, value: where(mask, 0.0, g), None), saves=(1,), names=("input", "mask"),
                  explain=lambda x, mask, value: record.explain_broadcast(x, mask))  # fmt: skip


def masked_fill(input: Any, mask: Any, value: float) -> Any:
    """``input``, with the number ``value`` where ``mask`` is true. Gradient: ``g``, zero where filled.

    Example:
        >>> import tapescope as ts
        >>> ts.tensor([1.0, 2.0]).masked_fill(ts.tensor([True, False]), 0)
        tensor([0., 2.])
    """
    if array(mask).dtype != np.bool_:
        raise IndexingError(f"masked_fill: the mask has dtype {array(mask).dtype}, expected bool.")
    return run(_masked_fill, (input, mask), (value.item() if hasattr(value, "item") else value,))


def _index_select_rule(x: ndarray, dim: int, index: ndarray) -> tuple[Any, tuple[int, ...]]:
    axis = axis_of(dim, x.ndim, "index_select")
    return (*[slice(None)] * axis, index), x.shape


_index_select = Op("index_select", lambda x, index, shape: x[index], (_take_vjp,), rule=_index_select_rule,
                   explain=lambda x, dim, index: _explain_index(x, (*[slice(None)] * (dim % x.ndim), index)))  # fmt: skip


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices of ``dim`` that ``index`` (1-d, integers) names. A copy. Gradient: ``g`` added back.

    Example:
        >>> import tapescope as ts
        >>> ts.index_select(ts.arange(6).reshape(2, 3), 1, ts.tensor([2, 0]))
        tensor([[2, 0],
                [5, 3]])
    """
    return run_one(_index_select, input, (dim, array(index)))


def _grid(index: ndarray, axis: int) -> tuple[ndarray, ...]:
    """Index arrays under which ``x[...]`` is ``gather(x, axis, index)``."""
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[axis] = index
    return tuple(places)


def _gather_rule(x: ndarray, dim: int, index: ndarray) -> tuple[Any, tuple[int, ...]]:
    if index.ndim != x.ndim:
        raise IndexingError(
            f"gather: the index has {index.ndim} dimensions, the input {x.ndim}: expected equal numbers."
        )
    return _grid(index, axis_of(dim, x.ndim, "gather")), x.shape


_gather = Op("gather", lambda x, index, shape: x[index], (_take_vjp,), rule=_gather_rule,
             explain=lambda x, dim, index: _explain_index(x, _grid(index, dim % x.ndim)))  # fmt: skip


def gather(input: Any, dim: int, index: Any) -> Any:
    """``out[i][j] = input[index[i][j]][j]`` for ``dim=0``, and so on. Gradient: ``g`` added back.

    Example:
        >>> import tapescope as ts
        >>> ts.gather(ts.tensor([[1, 2], [3, 4]]), 1, ts.tensor([[0, 0], [1, 0]]))
        tensor([[1, 1],
                [4, 3]])
    """
    return run_one(_gather, input, (dim, array(index)))


def nonzero(input: Any) -> ndarray:
    """The places of all elements that are not zero, as an (n, ndim) int64 array."""
    return np.stack(np.nonzero(array(input)), -1).astype(np.int64)
