"""backward and grad: what users call to walk the tape."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import GradError, ShapeError
from . import engine, events
from .modes import _Mode
from .node import Leaf
from .record import ndarray, wrap
from .tensor import Tensor


def _seed(root: Tensor, gradient: Any, create: bool) -> Any:
    """The gradient to begin with, as an array, or as a tensor for ``create_graph``."""
    array = root._array
    if gradient is None:
        if array.size != 1:
            raise GradError(
                f"backward: the tensor has shape {array.shape}; without a gradient argument only a single element will do.",
                operands=[
                    {"name": "loss", "shape": array.shape, "dtype": str(array.dtype), "axis": None, "edge": root._edge}
                ],
                hint="Reduce it first (.sum() or .mean()), or pass gradient=.",
            )
        seed = np.ones(array.shape, array.dtype)
        return wrap(seed) if create else seed
    if not isinstance(gradient, Tensor):
        gradient = wrap(np.asarray(gradient, array.dtype))
    if gradient._array.shape != array.shape:
        raise ShapeError(
            f"backward: gradient has shape {gradient._array.shape}, expected {array.shape}, as the tensor has."
        )
    return gradient if create else gradient._array.astype(array.dtype, copy=False)


def _edge_of(t: Tensor, name: str) -> Any:
    if not isinstance(t, Tensor):
        raise GradError(f"{name}: got {type(t).__name__}, expected a tensor.")
    if t._edge is None:
        raise GradError(
            f"{name}: a tensor of shape {tuple(t.shape)} does not require grad: nothing it was computed from does, or it was cut "
            "from the tape by detach(), .data, .item() or no_grad().",
            hint="Set requires_grad=True on what you differentiate by, before computing.",
        )
    return t._edge


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:  # fmt: skip
    """Add the gradients of ``tensors`` to ``.grad`` of the leaves they were computed from. See :meth:`Tensor.backward`."""
    roots = _listed(tensors)
    given = _listed(grad_tensors) if grad_tensors is not None else [None] * len(roots)
    edges = [_edge_of(t, "backward") for t in roots]
    only = None if inputs is None else [_edge_of(t, "backward") for t in _listed(inputs)]
    seeds = [_seed(t, g, create_graph) for t, g in zip(roots, given, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    for listener in tuple(events.before_backward):
        listener(roots[0])
    try:
        with _Mode(create_graph):
            found = engine.backward(edges, seeds, retain=retain, create=create_graph, inputs=only)
            del seeds
            while found:
                edge, grad = found.popitem()
                _accumulate(edge, grad, create_graph)
    finally:
        for listener in tuple(events.after_backward):
            listener(roots[0])


def _accumulate(edge: Any, grad: Any, create: bool) -> None:
    """Add to a leaf's ``.grad``: in place, unless someone may differentiate through it."""
    leaf = edge.tensor() if type(edge) is Leaf else None
    if leaf is None:
        return
    old = leaf._grad
    if create:
        leaf._grad = grad if old is None else old + grad
    elif old is None:
        leaf._grad = wrap(_owned(grad))
    elif old._edge is None and old._array.flags.writeable:
        old._array += grad
        if old._counter is not None:
            old._bump()
    else:
        leaf._grad = wrap(old._array + grad)
    for hook in tuple(edge.post_hooks or ()):
        hook(leaf)


def _owned(grad: ndarray) -> ndarray:
    """``grad`` itself if nobody else can hold it, else a copy: two leaves must not share one gradient."""
    if grad.base is None and grad.flags.c_contiguous and grad.flags.writeable and sys.getrefcount(grad) <= _ALONE:
        return grad
    return grad.copy()


def _count_alone() -> int:
    """The references that :func:`_owned` sees to an array that only ``backward`` holds; Python's versions differ."""

    def owned(grad: ndarray) -> int:
        return sys.getrefcount(grad)

    def accumulate(edge: Any, grad: ndarray) -> int:
        return owned(grad)

    found = {0: np.empty(1)}
    edge, grad = found.popitem()
    return accumulate(edge, grad)


_ALONE = _count_alone()


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool | None = None, materialize_grads: bool = False) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of ``outputs`` with respect to ``inputs``; ``.grad`` is left alone.

    Args:
        outputs, inputs: a tensor or a sequence of tensors.
        grad_outputs: gradients of the outputs; 1 for outputs of one element.
        retain_graph, create_graph: as for :meth:`Tensor.backward`.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        materialize_grads: give zeros for it.

    Returns:
        A tuple of tensors, one per input.

    Example:
        >>> import tapescope as ts
        >>> x = ts.tensor(3.0, requires_grad=True)
        >>> (slope,) = ts.autograd.grad(x ** 3, x, create_graph=True)
        >>> ts.autograd.grad(slope, x)
        (tensor(18.),)
    """
    roots, wanted = _listed(outputs), _listed(inputs)
    given = _listed(grad_outputs) if grad_outputs is not None else [None] * len(roots)
    edges = [_edge_of(t, "grad") for t in roots]
    targets = [_edge_of(t, "grad (inputs)") for t in wanted]
    seeds = [_seed(t, g, create_graph) for t, g in zip(roots, given, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    with _Mode(create_graph):
        found = engine.backward(edges, seeds, retain=retain, create=create_graph, inputs=targets)
    results = []
    for t, edge in zip(wanted, targets, strict=True):
        value = found.get(edge)
        if value is None and materialize_grads:
            value = np.zeros_like(t._array)
        elif value is None and not allow_unused:
            raise GradError(
                f"grad: the outputs do not depend on the input of shape {tuple(t.shape)}.",
                hint="Pass allow_unused=True for None.",
            )
        results.append(wrap(value) if isinstance(value, ndarray) else value)
    return tuple(results)
