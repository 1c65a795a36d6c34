"""``ts.tape``, ``ts.watch`` and ``ts.memory``: the functions that open a view.

Called by the user, and by the magics. Invariant: each returns an object that prints as text, has the same data as
attributes, and can be closed; opening a view changes nothing in what it looks at.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, TypeVar

from ..autograd import Tensor
from ..errors import TapescopeError
from ..nn import Module
from .gradients_view import GradientsView
from .live import CONDUCTOR
from .memory_view import MemoryView, memory_now
from .namespace import name_of, namespace_of
from .probes import GradientsProbe, LiveTape, MemoryProbe, Probe, TapeProbe
from .sites import position, site_at, users_frame
from .tape_view import TapeView, tape_of
from .views import View

V = TypeVar("V", bound=View)


def tape(of: Tensor | Module | None = None, *, live: bool | None = None) -> TapeView:
    """The tape of a value, once; or live, the tape of each step that a loop makes.

    Args:
        of: a tensor, whose tape is shown as it is now; a model, or nothing, to follow the current step.
        live: only to say it: a tensor's tape is not live, a model's is.

    Returns:
        A view with ``nodes``, ``edges``, ``scopes`` and ``saved_bytes``; its text has one row per node.

    Raises:
        TapescopeError: ``of`` is something else, or a tensor is to be followed live.

    >>> import tapescope as ts
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> view = ts.tape((x * x).sum())
    >>> [node["label"] for node in view.nodes]
    ['x', 'mul', 'sum']
    >>> view.state
    'idle'
    """
    frame = users_frame(sys._getframe(1))
    return open_tape(of, live, frame, namespace_of(frame, local=isinstance(of, Tensor)))


def open_tape(of: Any, live: bool | None, frame: FrameType | None, names: Mapping[str, Any]) -> TapeView:
    """:func:`tape`, with the caller's line and names given."""
    if isinstance(of, Tensor):
        if live:
            raise TapescopeError(
                "tape: a tensor's tape cannot be live, it is made once.", hint="Give the model, or nothing."
            )
        view = tape_of(of, dict(names), None)
        _place(view, frame)
        return view
    if of is not None and not isinstance(of, Module):
        raise TapescopeError(f"tape: got {type(of).__name__}, expected a tensor, a model or nothing.")
    title = "current step" if of is None else name_of(of, names) or type(of).__name__
    live_view = LiveTape(of, _globals(frame, names), title, None)
    return _open(live_view, TapeProbe(live_view), frame)


def watch(model: Module) -> GradientsView:
    """Gradient and update norms of a model's parameters, live while it trains.

    Args:
        model: the model; it is held weakly, and the view ends with it.

    Returns:
        A view with ``parameters`` (name, shape, norm, update over weight, status), ``loss`` and ``history``.

    Raises:
        TapescopeError: ``model`` is not a module.

    >>> import tapescope as ts
    >>> net = ts.nn.Linear(2, 1)
    >>> with ts.watch(net) as view:
    ...     net(ts.ones(4, 2)).sum().backward()
    >>> [(row["name"], row["status"]) for row in view.parameters]
    [('weight', 'ok'), ('bias', 'ok')]
    """
    frame = users_frame(sys._getframe(1))
    return open_watch(model, frame, namespace_of(frame))


def open_watch(model: Any, frame: FrameType | None, names: Mapping[str, Any]) -> GradientsView:
    """:func:`watch`, with the caller's line and names given."""
    if not isinstance(model, Module):
        raise TapescopeError(f"watch: got {type(model).__name__}, expected an nn.Module.")
    view = GradientsView(model, name_of(model, names))
    return _open(view, GradientsProbe(view), frame)


def memory(live: bool = False, budget: int | None = None) -> MemoryView:
    """Who holds memory: bytes by role, by holder and by line; once, or live over a loop.

    Args:
        live: follow the loop that runs next, instead of looking once.
        budget: bytes to compare with.

    Returns:
        A view with ``total``, ``peak``, ``holders``, ``lines`` and ``history``.

    >>> import tapescope as ts
    >>> table = ts.zeros(1024, 256)
    >>> view = ts.memory()
    >>> [(row["name"], row["bytes"]) for row in view.holders if row["name"] == "table"]
    [('table', 1048576)]
    """
    frame = users_frame(sys._getframe(1))
    return open_memory(live, budget, frame, namespace_of(frame, local=not live))


def open_memory(live: bool, budget: int | None, frame: FrameType | None, names: Mapping[str, Any]) -> MemoryView:
    """:func:`memory`, with the caller's line and names given."""
    if not live:
        view = memory_now(names, budget, None)
        _place(view, frame)
        return view
    view = MemoryView(_globals(frame, names), budget)
    view.look()
    view.frame()
    return _open(view, MemoryProbe(view), frame)


def _globals(frame: FrameType | None, names: Mapping[str, Any]) -> Mapping[str, Any]:
    """The names a live view keeps looking at: the module's or notebook's own, as they change."""
    return names if frame is None else frame.f_globals


def _place(view: View, frame: FrameType | None) -> None:
    """Note where a view was made."""
    if frame is not None:
        line = position(frame.f_code, frame.f_lasti).line
        view.origin = (frame.f_code.co_filename, line)
        view.site = site_at(frame.f_code, line)


def _open(view: V, probe: Probe, frame: FrameType | None) -> V:
    _place(view, frame)
    view.state = "live"
    CONDUCTOR.add(probe)
    return view
