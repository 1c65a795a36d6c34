"""Writing into tensors: the change itself, its stamp, and the tape's new view of the memory.

Called by the in-place methods, ``x[...] = v`` and the optimizers (through ``Tensor._bump``). Invariant: after a change
every tensor that shares the memory has an edge that tells the truth about its value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from ..errors import DtypeError, GradError, InplaceError, ShapeError
from ..ops.compare import array as array_of
from ..ops.record import Op, explained, ndarray, run
from . import dtype_rules
from .node import Leaf, Node, Output, next_sequence
from .record import counter_of, new, saved_by, wrap
from .state import STATE

Chain = tuple[tuple[Op, tuple[Any, ...]], ...]


def inplace_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The method ``x.op_(...)`` of an elementwise op."""
    op: Op = function.op  # type: ignore[attr-defined]

    def method(self: Any, *others: Any) -> Any:
        return write(op, self, others, (), sys._getframe(1))

    method.__name__ = method.__qualname__ = f"{op.name}_"
    method.__doc__ = f"In place: the tensor becomes the result of :func:`{function.__name__}`. Returns the tensor."
    return method


def write(op: Op, x: Any, others: tuple[Any, ...], attrs: tuple[Any, ...], frame: FrameType) -> Any:
    """Give ``x`` the value ``op(x, *others)`` in its own memory. Returns ``x``."""
    others = tuple(dtype_rules.operand_like(x, other, op.name) for other in others)
    array = x._array
    recording = STATE.grad and (x._edge is not None or any(o._edge is not None for o in others)) and op.differentiable
    if 0 in array.strides and array.size > 1 and x._view is not None:
        raise InplaceError(
            f"{op.name}_: several elements of an expanded tensor lie in one place of memory.",
            op=op.name,
            hint="clone() it first.",
        )
    if recording or (STATE.grad and x._edge is not None):
        check_writable(x, op.name)
    arrays = [o._array for o in others]
    try:
        out = op.forward(array, *arrays, *attrs)
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, (array, *arrays), attrs, error) from None
    _check_fits(op, array, np.asarray(out))
    inputs = (_before(x) if recording and 0 in op.saves else x, *others)
    if array is not out:
        _store(op, array, out)
    if not recording:
        stamp(x, frame)
        return x
    edges = (x._edge, *(o._edge for o in others))
    node = _node(op, edges, saved_by(op, inputs, array, edges), attrs, array, frame)
    stamp(x, frame, node.seq)
    rebase(x, node, frame)
    return x


def _store(op: Op, array: ndarray, out: Any) -> None:
    try:
        array[...] = out
    except ValueError as error:
        raise InplaceError(
            f"{op.name}_: the tensor's memory cannot be written: {error}.",
            op=op.name,
            hint="Use clone() before the change.",
        ) from None


def _check_fits(op: Op, array: ndarray, out: ndarray) -> None:
    if out.shape != array.shape:
        raise ShapeError(
            f"{op.name}_: the result has shape {out.shape}, and does not fit into the tensor of shape {array.shape}.",
            op=op.name,
        )
    if not np.can_cast(out.dtype, array.dtype, "same_kind") and array.dtype.kind != "V":
        raise DtypeError(
            f"{op.name}_: a result of dtype {out.dtype} cannot be stored in a tensor of dtype {array.dtype}.",
            op=op.name,
        )


def check_writable(x: Any, name: str) -> None:
    """Refuse changes in place that the tape could not follow."""
    view = x._view
    if x._counter is not None and x._counter.unfollowed:
        raise InplaceError(
            f"{name}_: the tensor had views taken while it required grad; a recorded change would not reach them.",
            op=name,
            hint="Do it under ts.no_grad(), or on a clone().",
        )
    if type(x._edge) is Leaf:
        raise InplaceError(
            f"{name}_: a leaf that requires grad cannot be changed in place while operations are recorded.",
            op=name,
            hint="Do it under ts.no_grad().",
        )
    if view is None:
        return
    if type(x._edge) is Output:
        raise InplaceError(
            f"{name}_: this view is one of several outputs of {view[1].name}, and cannot be changed in place.",
            op=name,
            hint="clone() it first.",
        )
    base = base_of(x)
    if type(base._edge) is Leaf:
        raise InplaceError(
            f"{name}_: a view of a leaf that requires grad cannot be changed in place while operations are recorded.",
            op=name,
            hint="Do it under ts.no_grad().",
        )


def _before(x: Any) -> Any:
    """The tensor as it is before the change, for the node that needs its value."""
    old = wrap(x._array.copy())
    old._edge = x._edge
    return old


def _node(op: Op, edges: tuple[Any, ...], saved: tuple[Any, ...], attrs: Any, array: ndarray, frame: FrameType) -> Node:
    node = new(Node)
    node.op, node.edges, node.saved, node.attrs = op, edges, saved, attrs
    node.shape, node.dtype, node.seq = array.shape, array.dtype, next_sequence()
    node.code, node.lasti, node.tag, node.hooks, node.counter = frame.f_code, frame.f_lasti, STATE.tag, None, None
    return node


def stamp(x: Any, frame: FrameType, seq: int | None = None) -> None:
    """Note on the memory that it was changed, and where."""
    counter = counter_of(x)
    counter.stamp = next_sequence() if seq is None else seq
    counter.count += 1
    counter.site = (frame.f_code, frame.f_lasti, STATE.tag)


# -- views: the base and its other views must see the change ---------------------------------------------------------


def base_of(x: Any) -> Any:
    """The tensor that ``x`` is a view of, or itself."""
    while x._view is not None:
        x = x._view[0]
    return x


def rebase(x: Any, node: Node, frame: FrameType) -> None:
    """Put ``node`` behind ``x``, and give its base and their other views edges that follow."""
    counter = x._counter
    old = x._edge
    x._edge = node
    node.counter = counter
    if old is not None:
        _carry_hooks(old, node)
    if x._view is not None:
        base, chain = base_of(x), chain_of(x)
        edges = (base._edge, node)
        top = _node(_scatter_view, edges, (), (chain,), base._array, frame)
        top.counter = counter
        base._edge = top
    for reference in tuple(counter.views):
        view = reference()
        if view is not None and view is not x and view._view is not None:
            _regenerate(view, frame)


def _carry_hooks(old: Any, node: Node) -> None:
    """retain_grad goes with the tensor, not with the value it had."""
    kept = [hook for hook in getattr(old, "hooks", None) or () if getattr(hook, "retains", False)]
    if kept and type(old) is Node:
        old.hooks = [hook for hook in old.hooks or () if hook not in kept]
        node.hooks = kept


def _regenerate(view: Any, frame: FrameType) -> None:
    parent, op, attrs = view._view
    if op.outputs:
        return
    if parent._edge is None:
        return
    node = _node(op, (parent._edge,), (), attrs, view._array, frame)
    node.counter = view._counter
    view._edge = node


def chain_of(x: Any) -> Chain:
    """The view ops that lead from the base to ``x``, first one first."""
    chain: list[tuple[Op, tuple[Any, ...]]] = []
    while x._view is not None:
        parent, op, attrs = x._view
        chain.append((op, attrs))
        x = parent
    return tuple(reversed(chain))


def _through(array: ndarray, chain: Chain) -> ndarray:
    for op, attrs in chain:
        array = op.forward(array, *attrs)
    return array


def _scattered(base: ndarray, value: ndarray, chain: Chain) -> ndarray:
    out = base.copy()
    _through(out, chain)[...] = value
    return out


def _gathered(base: ndarray, chain: Chain) -> ndarray:
    return _through(base, chain).copy()


def _gather_vjp(h: Any, chain: Chain, shape: tuple[int, ...]) -> Any:
    return run(_scatter_view, (np.zeros(shape, array_of(h).dtype), h), (chain,))


_scatter_view: Op = Op(
    "view_write", _scattered,
    (lambda g, chain: run(_scatter_view, (g, np.zeros((), array_of(g).dtype)), (chain,)),
     lambda g, chain: run(_gather_view, (g,), (chain,))),
)  # fmt: skip
_gather_view: Op = Op("view_read", lambda base, chain, shape: _gathered(base, chain), (_gather_vjp,),
                  rule=lambda base, chain: (chain, base.shape))  # fmt: skip


def set_data(x: Any, value: Any, frame: FrameType) -> None:
    """``x.data = value``: other memory for the same tensor."""
    if x._edge is not None and type(x._edge) is not Leaf:
        raise GradError("data: only a leaf can be given other data; this tensor was computed.", hint="Use detach().")
    x._array = value._array
    stamp(x, frame)
    if type(x._edge) is Leaf:
        x._edge.shape, x._edge.dtype = x._array.shape, x._array.dtype
