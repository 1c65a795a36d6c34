"""What an op is: a record that names its forward and its gradient, and the way a call finds arrays or the tape.

Called by every family file here (to define) and by ``autograd`` (to record). Invariant: a record knows arrays only;
the tape reaches ops through the one entry that :func:`register` sets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError, IndexingError, ShapeError, TapescopeError

ndarray = np.ndarray
Vjp = Callable[..., Any]

OPS: dict[str, Op] = {}  # every record by name: the docs, the tests and the tape's labels come from here


class Op:
    """One operation.

    Args:
        name: its label on the tape.
        forward: ``forward(*arrays, *attributes) -> array`` (a tuple of arrays if ``outputs`` is set).
        vjp: the gradient for each array input: ``vjp[i](g, *saved, *attributes)``, None where there is none; or one
            callable for all, ``vjp(g, needs, *saved, *attributes)`` giving one gradient (or None) per input, ``needs``
            telling which are wanted. Written with ops and operators, so that it runs on arrays and on tensors.
            Un-broadcasting to the input's shape is the engine's work.
        saves: what the gradient needs, in the order it takes them: input positions, or ``"out"``.
        uses: for each of ``saves``, the inputs whose gradient needs it; it is kept only if one of them is wanted.
            If left out, every input's gradient needs all.
        rule: ``rule(*arrays, *arguments) -> attributes``; checks and normalises what the user wrote.
        result: the dtype kind of an elementwise result: "same", "float" (integers become the default float), "bool".
        promotes: the first of the inputs that are brought to one dtype (all from there on); None if none is.
        view: the output shares the input's memory, where NumPy can.
        variadic: the array inputs come as one sequence (cat, stack).
        outputs: the op gives a tuple of arrays.
        explain: ``explain(*arrays, *arguments) -> (message, axis of each array or None, perhaps a hint)``, for a
            forward that failed.
        names: what the inputs are called in messages.
    """

    __slots__ = (
        "differentiable", "explain", "forward", "joint", "name", "names", "outputs", "promotes",
        "result", "rule", "saves", "uses", "variadic", "view", "vjp",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        vjp: Sequence[Vjp | None] | Vjp = (),
        *,
        saves: tuple[int | str, ...] = (),
        uses: tuple[tuple[int, ...], ...] | None = None,
        rule: Callable[..., tuple[Any, ...]] | None = None,
        result: str = "same",
        promotes: int | None = None,
        view: bool = False,
        variadic: bool = False,
        outputs: bool = False,
        explain: Callable[..., Any] | None = None,
        names: tuple[str, ...] = ("input", "other"),
    ) -> None:
        self.name, self.forward, self.rule = name, forward, rule
        self.saves, self.uses = saves, uses
        self.joint, self.vjp = callable(vjp), vjp
        self.differentiable = bool(vjp)  # whether any input has a gradient
        self.result, self.view, self.variadic, self.outputs = result, view, variadic, outputs
        self.explain, self.names, self.promotes = explain, names, promotes
        OPS[name] = self

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _no_tape(op: Op, inputs: tuple[Any, ...], arguments: tuple[Any, ...], depth: int) -> Any:
    kinds = ", ".join(type(value).__name__ for value in inputs)
    raise TapescopeError(f"{op.name}: got {kinds}, expected NumPy arrays.")


_entry: Callable[..., Any] = _no_tape
_entry_one: Callable[..., Any] = _no_tape


def register(entry: Callable[..., Any], entry_one: Callable[..., Any]) -> None:
    """Set the tape's entry: ``entry(op, inputs, arguments, depth)`` is called for anything but arrays.

    ``entry_one(op, input, arguments, depth)`` is its short form for ops of one input.
    """
    global _entry, _entry_one
    _entry, _entry_one = entry, entry_one


def run(op: Op, inputs: tuple[Any, ...], arguments: tuple[Any, ...] = ()) -> Any:
    """Call ``op``: at once on arrays, through the tape otherwise. To be called by the op's public function only."""
    for value in inputs:
        if type(value) is not ndarray and value is not None and not isinstance(value, np.generic):
            return _entry(op, inputs, arguments, 3)
    return run_bare(op, inputs, arguments)


def run_one(op: Op, input: Any, arguments: tuple[Any, ...] = ()) -> Any:
    """:func:`run` for ops of one input: the hot path of reductions and views."""
    if type(input) is ndarray or isinstance(input, np.generic):
        return run_bare(op, (input,), arguments)
    return _entry_one(op, input, arguments, 3)


def run_bare(op: Op, arrays: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    """Call ``op`` on arrays, errors explained."""
    try:
        values: tuple[Any, ...] = (arrays,) if op.variadic else arrays
        attributes = op.rule(*values, *arguments) if op.rule is not None else arguments
        return op.forward(*values, *attributes)
    except TapescopeError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, arrays, arguments, error) from error


def describe(value: Any) -> str:
    """An operand in words: ``(64, 10) float32``."""
    if isinstance(value, (ndarray, np.generic)):
        return f"{value.shape} {value.dtype}"
    return f"{type(value).__name__} {value!r}"[:80]


def explained(
    op: Op, arrays: Sequence[Any], arguments: tuple[Any, ...], error: Exception, edges: Sequence[Any] = ()
) -> TapescopeError:
    """The error of a failed forward, with shapes, dtypes and the axis that does not fit."""
    message, axes, hint = str(error), (), []  # type: tuple[str, Sequence[int | None], list[str]]
    if op.explain is not None:
        message, axes, *hint = op.explain(*((arrays,) if op.variadic else arrays), *arguments)
    names = op.names if len(op.names) >= len(arrays) else tuple(f"input {i}" for i in range(len(arrays)))
    operands = [
        {
            "name": names[i],
            "shape": tuple(np.shape(value)),
            "dtype": str(value.dtype) if hasattr(value, "dtype") else type(value).__name__,
            "axis": axes[i] if i < len(axes) else None,
            "edge": edges[i] if i < len(edges) else None,
        }
        for i, value in enumerate(arrays)
        if value is not None
    ]
    got = ", ".join(f"{names[i]} {describe(value)}" for i, value in enumerate(arrays) if value is not None)
    kind = next(kind for cause, kind in _EXPLAINED if isinstance(error, cause))
    return kind(f"{op.name}: {message} Got {got}.", op=op.name, operands=operands, hint=hint[0] if hint else None)


_EXPLAINED: tuple[tuple[type[Exception], type[TapescopeError]], ...] = (
    (IndexError, IndexingError),
    (ValueError, ShapeError),
    (TypeError, DtypeError),
)


def unary(name: str, forward: Callable[..., Any], vjp: Vjp | None = None, saves: tuple[int | str, ...] = (),
          *, result: str = "same", doc: str = "") -> Callable[..., Any]:  # fmt: skip
    """An elementwise op of one input, and the function that calls it."""
    op = Op(name, forward, () if vjp is None else (vjp,), saves=saves, result=result)

    def function(input: Any) -> Any:
        if type(input) is ndarray:
            return forward(input)
        return run_one(op, input)

    return _public(function, op, doc)


def binary(name: str, forward: Callable[..., Any], vjp: Sequence[Vjp | None] = (), saves: tuple[int | str, ...] = (),
           *, uses: tuple[tuple[int, ...], ...] | None = None, result: str = "same",
           doc: str = "") -> Callable[..., Any]:  # fmt: skip
    """An elementwise op of two inputs that broadcast, and the function that calls it."""
    op = Op(name, forward, vjp, saves=saves, uses=uses, result=result, promotes=0, explain=explain_broadcast)

    def function(input: Any, other: Any) -> Any:
        if type(input) is ndarray and type(other) is ndarray:
            return forward(input, other)
        return _entry(op, (input, other), (), 2)

    return _public(function, op, doc)


def _public(function: Callable[..., Any], op: Op, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = doc
    function.op = op  # type: ignore[attr-defined]
    return function


def explain_broadcast(first: Any, second: Any) -> tuple[str, Sequence[int | None]]:
    """Which axis of two shapes keeps them from broadcasting."""
    a, b = np.shape(first), np.shape(second)
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
            i, j = len(a) - back, len(b) - back
            text = f"{a} and {b} do not broadcast: axis {i} of the first is {a[i]}, axis {j} of the second is {b[j]};"
            return f"{text} they must be equal, or one of them 1.", (i, j)
    return f"cannot combine {describe(first)} with {describe(second)}.", (None, None)


def through_float32(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward that computes half precision in float32, and gives it back in half precision."""

    @functools.wraps(forward)
    def half_aware(*values: Any) -> Any:
        kind = values[0].dtype
        if kind.itemsize != 2 or kind.kind in "iu":
            return forward(*values)
        wide = [v.astype(np.float32) if isinstance(v, ndarray) and v.dtype == kind else v for v in values]
        return np.asarray(forward(*wide), kind)

    return half_aware


def axis_of(dim: Any, ndim: int, op: str) -> int:
    """``dim`` counted from the front.

    Raises:
        ShapeError: there is no such dimension.
    """
    if isinstance(dim, (bool, np.bool_)) or not hasattr(dim, "__index__"):
        raise ShapeError(f"{op}: dim must be an integer, got {dim!r}.", op=op)
    dim = dim.__index__()
    room = ndim or 1
    if not -room <= dim < room:
        raise IndexingError(
            f"{op}: dim {dim} is out of range for a tensor of {ndim} dimensions: expected {-room} to {room - 1}.", op=op
        )
    return dim % room


def axes_of(dim: Any, ndim: int, op: str) -> tuple[int, ...] | None:
    """The axes meant by ``dim`` (None: all), counted from the front and each once."""
    if dim is None:
        return None
    if type(dim) is int and -ndim <= dim < ndim:
        return (dim if dim >= 0 else dim + ndim,)
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = tuple(axis_of(d, ndim, op) for d in dims)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{op}: a dimension appears twice in dim={dim!r}.", op=op)
    return axes if ndim else None
