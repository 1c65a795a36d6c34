"""A view as a PNG picture: what a saved notebook keeps.

Called when the cell that shows a view has ended. Invariants: drawn from the snapshot alone; no global state of
matplotlib's is touched; under 28 kB, so that the output that embeds it stays under 40 kB.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from ..observe import numbers

VALUE, GRAD, MEMORY, TROUBLE, OK, GREY = "#0072b2", "#d98200", "#9a5ea1", "#d1482b", "#00876c", "#68717a"
LIMIT = 28_000  # bytes
BOXES = 40  # nodes that can be told apart in a picture


def png(snapshot: dict[str, Any], history: np.ndarray | None) -> bytes:
    """The picture of a snapshot; at a lower resolution where it would become too large."""
    for dpi in (100, 72, 50):
        data = _drawn(snapshot, history, dpi)
        if len(data) <= LIMIT:
            break
    return data


def _drawn(snapshot: dict[str, Any], history: np.ndarray | None, dpi: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(7.6, _height(snapshot)), dpi=dpi, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    _PAINTERS[snapshot["view"]](figure, snapshot, history)
    raw, out = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png")
    Image.open(raw).convert("RGB").quantize(64).save(out, format="png", optimize=True)
    return out.getvalue()


def _height(snapshot: dict[str, Any]) -> float:
    if snapshot["view"] == "gradients":
        return min(1.4 + 0.24 * len(snapshot["parameters"]), 5.0)
    if snapshot["view"] == "tape":
        rows = max((y for _, y in _layout(_shown(snapshot), snapshot["edges"]).values()), default=0) + 1
        return min(0.3 + 0.55 * rows, 4.0)
    return 2.6


# -- tape ------------------------------------------------------------------------------------------------------------


def _tape(figure: Any, snapshot: dict[str, Any], history: np.ndarray | None) -> None:
    axes = figure.add_subplot()
    axes.axis("off")
    nodes = _shown(snapshot)
    places = _layout(nodes, snapshot["edges"])
    for source, target, _ in snapshot["edges"]:
        if source in places and target in places:
            (x0, y0), (x1, y1) = places[source], places[target]
            axes.plot([x0, x1], [y0, y1], color=GREY, lw=0.8, alpha=0.6, zorder=1)
    for node in nodes:
        _box(axes, node, *places[node["id"]])
    xs, ys = zip(*places.values(), strict=True) if places else ((0,), (0,))
    axes.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
    axes.set_ylim(max(ys) + 0.6, min(ys) - 0.6)


def _shown(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = snapshot["nodes"]
    if len(nodes) > BOXES:
        nodes = [node for node in nodes if node["kind"] == "op"][-BOXES:]
    return nodes


def _layout(nodes: list[dict[str, Any]], edges: list[list[int]]) -> dict[int, tuple[float, float]]:
    """Left to right by distance from the inputs; parameters and data stand right before what uses them."""
    known = {node["id"] for node in nodes}
    kinds = {node["id"]: node["kind"] for node in nodes}
    column: dict[int, int] = {}
    for node in nodes:
        before = [column.get(s, 0) for s, t, _ in edges if t == node["id"] and s in known and kinds[s] == "op"]
        column[node["id"]] = max(before, default=0) + 1
    for source, target, _ in edges:
        if source in known and target in known and kinds[source] != "op":
            column[source] = column[target]
    rows: dict[int, int] = {}
    places = {}
    for node in sorted(nodes, key=lambda node: (node["kind"] != "op", node["id"])):
        at = column[node["id"]]
        row = rows.get(at, 0)
        rows[at] = row + 1
        shift = 0.0 if node["kind"] == "op" else 0.25
        places[node["id"]] = (float(at), row + shift)
    return places


def _box(axes: Any, node: dict[str, Any], x: float, y: float) -> None:
    square = node["kind"] == "parameter"
    bad = any(node[what] and node[what]["nonfinite"] for what in ("value", "grad"))
    edge = TROUBLE if bad else GRAD if node["grad"] else VALUE if node["kind"] == "op" else GREY
    style = {"boxstyle": "square,pad=0.35" if square else "round,pad=0.35", "fc": "white", "ec": edge, "lw": 1.0}
    axes.text(x, y, node["label"][:14], ha="center", va="center", fontsize=8, bbox=style, zorder=3)
    plain = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"}  # the wires pass behind the shape
    axes.annotate(numbers.shape(node["shape"]), (x, y), (0, -15), textcoords="offset points", ha="center", va="center",
                  fontsize=6.5, color=GREY, bbox=plain, zorder=2)  # fmt: skip


# -- gradients -------------------------------------------------------------------------------------------------------


def _gradients(figure: Any, snapshot: dict[str, Any], history: np.ndarray | None) -> None:
    rows = snapshot["parameters"]
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, 0.24 * max(len(rows), 1) + 0.2])
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    if history is None or history.shape[1] == 0:
        below.text(0.5, 0.5, snapshot["sentence"], ha="center", fontsize=8, transform=below.transAxes)
        return
    steps, loss, norms = history[0], history[1], history[2 : 2 + len(rows)]
    top.plot(steps, loss, color=VALUE, lw=1.2)
    top.set_ylabel("loss", fontsize=7)
    shown = np.where(np.isfinite(norms) & (norms > 0), norms, np.nan)
    with np.errstate(all="ignore"):
        depth = np.log10(shown)
    below.pcolormesh(_borders(steps), np.arange(len(rows) + 1), depth, cmap=_orange(), vmin=-8, vmax=1, rasterized=True)
    below.set_yticks(np.arange(len(rows)) + 0.5, [row["name"] for row in rows])
    for label, row in zip(below.get_yticklabels(), rows, strict=True):
        if row["status"] in ("vanishing", "exploding", "nonfinite", "none"):
            label.set_color(TROUBLE)
    below.invert_yaxis()
    below.set_xlabel("step · colour: log₁₀ ‖grad‖, stronger is larger", fontsize=7)


def _borders(steps: np.ndarray) -> np.ndarray:
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[steps[0] - (middle[0] - steps[0])], middle, [steps[-1] + (steps[-1] - middle[-1])]])


def _orange() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("gradient", ["#fbf3e6", "#f0b95a", GRAD, "#8a4b00"])


# -- memory ----------------------------------------------------------------------------------------------------------

_COLOURS = {"parameters": GREY, "gradients": GRAD, "optimizer": OK, "saved": MEMORY, "other": TROUBLE}


def _memory(figure: Any, snapshot: dict[str, Any], history: np.ndarray | None) -> None:
    many = history is not None and history.shape[1] > 1
    left, right = figure.subplots(1, 2, width_ratios=[3, 2]) if many else (None, figure.add_subplot())
    if left is not None and history is not None:
        scale, unit = _unit(max(snapshot["peak"], snapshot["budget"] or 0))
        colours = [_COLOURS[role] for role in snapshot["roles"]]
        left.stackplot(history[0], history[1:] / scale, labels=snapshot["roles"], colors=colours, alpha=0.55)
        if snapshot["budget"] is not None:
            left.axhline(snapshot["budget"] / scale, color=TROUBLE, ls=":", lw=1)
        left.set_ylabel(unit, fontsize=7)
        left.set_xlabel("s", fontsize=7)
        left.tick_params(labelsize=7)
        left.legend(fontsize=6, frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
        left.spines[["top", "right"]].set_visible(False)
    held = snapshot["holders"][:8]
    right.barh(range(len(held)), [row["bytes"] for row in held], alpha=0.6,
               color=[TROUBLE if row["trouble"] else MEMORY for row in held])  # fmt: skip
    names = [f"{row['name']} · {numbers.size(row['bytes'])}" for row in held]
    right.set_yticks(range(len(held)), names, fontsize=7)
    right.invert_yaxis()
    right.set_xticks([])
    right.spines[["top", "right", "bottom"]].set_visible(False)


def _unit(largest: float) -> tuple[float, str]:
    for scale, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if largest >= scale:
            return float(scale), unit
    return 1.0, "B"


_PAINTERS: dict[str, Callable[[Any, dict[str, Any], np.ndarray | None], None]] = {
    "tape": _tape,
    "gradients": _gradients,
    "memory": _memory,
}
