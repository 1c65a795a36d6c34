"""Recording: from a call on tensors to an output tensor with a node on the tape.

Called by every op (through the entry registered below) and by the Tensor operators, which are built here with a fixed
number of arguments because they are the hot path. Invariant: what is switched off costs one truth test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any
from weakref import ref

import numpy as np

from .. import dtypes
from ..errors import DtypeError, TapescopeError
from ..ops import record as ops_record
from ..ops.record import Op, explained, ndarray, run_bare
from . import events
from .node import Counter, Leaf, Node, Output, next_sequence
from .state import STATE

new = object.__new__
asarray = np.asarray
_RECORDED, _CREATED = events.recorded, events.created
Tensor: Any = None  # set by tensor.py, which stands on this module


def bind(tensor_class: type) -> None:
    """Tell this module the Tensor class."""
    global Tensor
    Tensor = tensor_class


def wrap(array: ndarray) -> Any:
    """A tensor around an array, with no gradient."""
    t = new(Tensor)
    t._array = array
    t._edge = t._grad = t._counter = t._view = t._site = None
    if _CREATED:
        notify(t)
    return t


def notify(t: Any) -> None:
    """Tell the observers of creation."""
    for listener in tuple(_CREATED):
        listener(t)


def record(op: Op, array: ndarray, edges: tuple[Any, ...], saved: tuple[Any, ...], attrs: tuple[Any, ...],
           frame: FrameType) -> Any:  # fmt: skip
    """A tensor around ``array`` whose node stands on the tape."""
    node = new(Node)
    node.op = op
    node.edges = edges
    node.saved = saved
    node.attrs = attrs
    node.shape = array.shape
    node.dtype = array.dtype
    node.seq = next_sequence()
    node.code = frame.f_code
    node.lasti = frame.f_lasti
    node.tag = STATE.tag
    node.hooks = node.counter = None
    t = new(Tensor)
    t._array = array
    t._edge = node
    t._grad = t._counter = t._view = t._site = None
    if _RECORDED:
        for listener in tuple(_RECORDED):
            listener(node, t)
    if _CREATED:
        notify(t)
    return t


# -- the general entry: any op, any number of inputs --------------------------------------------------------------


def apply(op: Op, inputs: tuple[Any, ...], arguments: tuple[Any, ...] = (), depth: int = 1) -> Any:
    """Call ``op`` on tensors; ``depth`` frames up stands the line that is to be named."""
    edges: list[Any] = []
    arrays: list[Any] = []
    wanted = tensors = False
    for value in inputs:
        try:
            arrays.append(value._array)
            edge = value._edge
            edges.append(edge)
            tensors = True
            if edge is not None:
                wanted = True
        except AttributeError:
            arrays.append(value)
            edges.append(None)
    if not tensors:
        return _apply_bare(op, inputs, arguments)
    if op.promotes is not None:
        mixed = _unify(op, inputs, arrays, edges)
        if mixed is not None:
            return apply(op, mixed, arguments, depth + 1)
    elif op.result == "float" and arrays[0].dtype.kind in "biu":
        return apply(op, (_to_default_float(inputs[0]), *inputs[1:]), arguments, depth + 1)
    out, attrs = _forward(op, arrays, arguments, edges)
    if type(out) is not ndarray:
        out = asarray(out)
    if wanted and STATE.grad and op.differentiable:
        return record(op, out, tuple(edges), saved_by(op, inputs, out, edges), attrs, sys._getframe(depth))
    return wrap(out)


def apply_one(op: Op, input: Any, arguments: tuple[Any, ...] = (), depth: int = 1) -> Any:
    """:func:`apply` for ops of one input."""
    try:
        array, edge = input._array, input._edge
    except AttributeError:
        return _apply_bare(op, (input,), arguments)
    if edge is None and op.result == "float" and array.dtype.kind in "biu":
        return apply_one(op, _to_default_float(input), arguments, depth + 1)
    try:
        attrs = arguments if op.rule is None else op.rule(array, *arguments)
        out = op.forward(array, *attrs)
    except TapescopeError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, (array,), arguments, error, (edge,)) from None
    if op.view:
        return (views_of if op.outputs else view_of)(op, input, out, attrs, sys._getframe(depth))
    if type(out) is not ndarray:
        out = asarray(out)
    if edge is None or not op.differentiable or not STATE.grad:
        return wrap(out)
    saved = saved_by(op, (input,), out, (edge,)) if op.saves else ()
    return record(op, out, (edge,), saved, attrs, sys._getframe(depth))


def _apply_bare(op: Op, inputs: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    """No tensor among the inputs: numbers and arrays compute as arrays; anything else is an error."""
    for value in inputs:
        if not isinstance(value, (ndarray, np.generic, int, float, complex)) and value is not None:
            raise DtypeError(
                f"{op.name}: got {type(value).__name__}, expected a tensor.",
                op=op.name,
                hint="Wrap it: ts.tensor(...).",
            )
    arrays = tuple(asarray(v) if isinstance(v, (int, float, complex)) else v for v in inputs)
    return run_bare(op, arrays, arguments)


def _forward(
    op: Op, arrays: list[Any], arguments: tuple[Any, ...], edges: Sequence[Any]
) -> tuple[Any, tuple[Any, ...]]:
    try:
        values: Sequence[Any] = (arrays,) if op.variadic else arrays
        attrs = arguments if op.rule is None else op.rule(*values, *arguments)
        return op.forward(*values, *attrs), attrs
    except TapescopeError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, arrays, arguments, error, edges) from None


def saved_by(op: Op, inputs: Any, out: Any, edges: Sequence[Any]) -> tuple[Any, ...]:
    """What the node keeps for backward: only what the gradients that are wanted need.

    A bare array among them is always the op's own output: inputs that came as arrays are kept as tensors.
    """
    saved: list[Any] = []
    for i, which in enumerate(op.saves):
        if op.uses is not None and not any(edges[user] is not None for user in op.uses[i]):
            saved.append(None)
        elif which == "out":
            saved.append(out)
        else:
            value = inputs[which]
            saved.append(wrap(value) if type(value) is ndarray else value)
    return tuple(saved)


def view_of(op: Op, base: Any, out: Any, attrs: tuple[Any, ...], frame: FrameType) -> Any:
    """A tensor around a view: it shares the counter of its base.

    Does what :func:`record` does, in one function, because views are as frequent as they are short.
    """
    edge = base._edge
    t = new(Tensor)
    t._array = out
    t._grad = t._site = None
    if edge is None or not STATE.grad:
        t._edge = node = None
    else:
        t._edge = node = new(Node)
        node.op = op
        node.edges = (edge,)
        node.saved = ()
        node.attrs = attrs
        node.shape = out.shape
        node.dtype = out.dtype
        node.seq = next_sequence()
        node.code = frame.f_code
        node.lasti = frame.f_lasti
        node.tag = STATE.tag
        node.hooks = node.counter = None
    owner, memory = out.base, base._array
    if owner is memory or (owner is not None and owner is memory.base):
        t._counter = counter = base._counter or counter_of(base)
        t._view = (base, op, attrs)
        if type(edge) is not Leaf:  # nothing in the memory of a leaf that requires grad changes while recording
            counter.room -= 1
            if not counter.room:
                counter.sweep()
            counter.views.append(ref(t))
    else:  # NumPy had to copy
        t._counter = t._view = None
    if _RECORDED and node is not None:
        for listener in tuple(_RECORDED):
            listener(node, t)
    if _CREATED:
        notify(t)
    return t


def views_of(op: Op, base: Any, outs: Any, attrs: tuple[Any, ...], frame: FrameType) -> tuple[Any, ...]:
    """Tensors around the views that an op of several outputs gives: one node, whose outputs are numbered."""
    edge = base._edge if STATE.grad else None
    results = []
    node: Any = None
    for k, out in enumerate(outs):
        t = wrap(out)
        if edge is not None:
            if node is None:
                node = record(op, out, (edge,), (), attrs, frame)._edge
                node.shape, node.dtype = tuple(o.shape for o in outs), tuple(o.dtype for o in outs)
            t._edge = Output(node, k, out)
        t._counter = counter_of(base)
        t._view = (base, op, k)
        results.append(t)
    return tuple(results)


def counter_of(t: Any) -> Counter:
    """The counter of a tensor's memory, made when first needed, and known to the node that made the memory."""
    counter = t._counter
    if counter is None:
        counter = t._counter = Counter()
        edge = t._edge
        if type(edge) is Node:
            edge.counter = counter
    return counter


# -- dtypes that differ, and plain numbers -------------------------------------------------------------------------


def _to_default_float(x: Any) -> Any:
    array = x._array if isinstance(x, Tensor) else asarray(x)
    return wrap(array.astype(dtypes.default().dtype))


def _rank(value: Any) -> tuple[dtypes.dtype, int]:
    if isinstance(value, (bool, int, float, complex)):
        return dtypes.of_scalar(value), 0
    array = value._array if isinstance(value, Tensor) else value
    try:
        return dtypes.BY_NUMPY[array.dtype], 2 if array.ndim else 1
    except KeyError:
        raise DtypeError(f"arrays of dtype {array.dtype} are not supported.") from None


def as_operand(value: Any, op: str) -> Any:
    """``value`` as an operand: a tensor, an array or a number.

    Raises:
        DtypeError: it is something else.
    """
    if isinstance(value, (Tensor, ndarray, bool, int, float, complex)):
        return value
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biufc" else asarray(value)
    raise DtypeError(
        f"{op}: got {type(value).__name__}, expected a tensor or a number.", op=op, hint="Wrap it: ts.tensor(...)."
    )


def _unify(op: Op, inputs: tuple[Any, ...], arrays: list[Any], edges: list[Any]) -> tuple[Any, ...] | None:
    """The inputs in one dtype; None where they are so already. ``arrays`` gets plain numbers as NumPy takes them."""
    first = op.promotes or 0
    values = [as_operand(v, op.name) for v in inputs[first:]]
    kind = dtypes.result_type(*[_rank(v) for v in values])
    if op.result == "float" and kind.category < dtypes.FLOAT:
        kind = dtypes.default()
    unified, changed = list(inputs[:first]), False
    for i, value in enumerate(values):
        if isinstance(value, Tensor):
            if value._array.dtype != kind.dtype:
                value, changed = value.to(kind), True
        else:
            value = (
                wrap(asarray(value, kind.dtype))
                if not isinstance(value, ndarray)
                else wrap(value.astype(kind.dtype, copy=False))
            )
            arrays[first + i] = value._array
            changed = True
        unified.append(value)
    return tuple(unified) if changed else None


# -- the operators: one input, two inputs --------------------------------------------------------------------------


def unary_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The Tensor method of an elementwise op of one input."""
    op: Op = function.op  # type: ignore[attr-defined]
    forward, getframe = op.forward, sys._getframe
    differentiable, keeps_input, keeps_out = op.differentiable, op.saves == (0,), op.saves == ("out",)
    plain, makes_float = not op.saves, op.result == "float"

    def method(self: Any) -> Any:
        edge, a = self._edge, self._array
        if edge is None and makes_float and a.dtype.kind in "biu":
            return apply(op, (self,), (), 2)
        try:
            out = forward(a)
        except TypeError as error:
            raise explained(op, (a,), (), error) from None
        if type(out) is not ndarray:
            out = asarray(out)
        if edge is None or not differentiable or not STATE.grad:
            return wrap(out)
        if keeps_input:
            saved = (self,)
        elif keeps_out:
            saved = (out,)
        else:
            saved = () if plain else saved_by(op, (self,), out, (edge,))
        return record(op, out, (edge,), saved, (), getframe(1))

    return _named(method, function)


def binary_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The Tensor method of an elementwise op of two inputs: fast for two tensors of one dtype, or a float and a number."""
    op: Op = function.op  # type: ignore[attr-defined]
    forward, getframe = op.forward, sys._getframe
    plain, differentiable = not op.saves, op.differentiable
    crosswise = op.saves == (0, 1) and op.uses == ((1,), (0,))
    makes_float = op.result == "float"

    def method(self: Any, other: Any) -> Any:
        edge, a = self._edge, self._array
        try:
            b, edge_other = other._array, other._edge
            if a.dtype is not b.dtype or (makes_float and a.dtype.kind in "biu"):
                return apply(op, (self, other), (), 2)
        except AttributeError:
            if edge is None or type(other) not in _NUMBERS or not differentiable or a.dtype.char not in _NATIVE:
                return apply(op, (self, other), (), 2) if _known(other) else NotImplemented
            b, edge_other = other, None
        try:
            out = forward(a, b)
        except (ValueError, TypeError) as error:
            raise explained(op, (a, b), (), error, (edge, edge_other)) from None
        if type(out) is not ndarray:
            out = asarray(out)
        if (edge is None and edge_other is None) or not differentiable or not STATE.grad:
            return wrap(out)
        saved: tuple[Any, ...] = ()
        if plain:
            pass
        elif crosswise:
            saved = (None if edge_other is None else self, None if edge is None else other)
        else:
            saved = saved_by(op, (self, other), out, (edge, edge_other))
        return record(op, out, (edge, edge_other), saved, (), getframe(1))

    return _named(method, function)


_NATIVE = "fdeFD"  # the floats that NumPy itself knows: beside them a Python number has no say in the dtype
_NUMBERS = frozenset((float, int))  # a bool lifts nothing either, but is rare


def _known(value: Any) -> bool:
    return isinstance(value, (Tensor, ndarray, np.generic, bool, int, float, complex))


def reflected_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The operator with its operands exchanged: ``2 - x``."""
    op: Op = function.op  # type: ignore[attr-defined]

    def method(self: Any, other: Any) -> Any:
        return apply(op, (other, self), (), 2) if _known(other) else NotImplemented

    return _named(method, function)


def _named(method: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    method.op = function.op  # type: ignore[attr-defined]
    return method


ops_record.register(apply, apply_one)
