"""What goes over the wire, version 1, said once: the golden snapshots and what observe makes are held against it."""

from __future__ import annotations

import json
from typing import Any

NUMBER = (int, float)
NONE = type(None)
SITE = {
    "label": str,
    "text": str,
    "cell": (str, NONE),
    "count": (int, NONE),
    "line": int,
    "file": (str, NONE),
    "source": str,
}
STATS = {
    "norm": (*NUMBER, NONE), "mean": (*NUMBER, NONE), "std": (*NUMBER, NONE), "min": (*NUMBER, NONE),
    "max": (*NUMBER, NONE), "nonfinite": int, "hist": (list, NONE), "lo": (*NUMBER, NONE), "hi": (*NUMBER, NONE),
}  # fmt: skip
COMMON = {
    "v": int, "view": str, "seq": int, "state": str, "title": str, "step": (int, NONE),
    "sentence": str, "sentence_sites": list,
}  # fmt: skip
NODE = {
    "id": int, "kind": str, "label": str, "name": (str, NONE), "shape": list, "dtype": str, "bytes": int, "saved": int,
    "scope": str, "site": (dict, NONE), "inputs": list, "value": (dict, NONE), "grad": (dict, NONE),
    "time_us": (*NUMBER, NONE),
}  # fmt: skip
PARAMETER = {
    "name": str, "shape": list, "norm": (*NUMBER, NONE), "update": (*NUMBER, NONE), "status": str, "site": (dict, NONE),
}  # fmt: skip
HOLDER = {"name": str, "detail": str, "bytes": int, "site": (dict, NONE), "trouble": bool}
TAPE = {"nodes": list, "edges": list, "scopes": list, "folded": int, "saved_bytes": int}
GRADIENTS = {"parameters": list, "columns": int, "first_step": int, "last_step": int, "loss": (*NUMBER, NONE)}
MEMORY = {
    "device": str, "total": int, "peak": int, "budget": (int, NONE), "roles": list, "columns": int,
    "holders": list, "lines": list,
}  # fmt: skip
STATUSES = {"ok", "vanishing", "exploding", "nonfinite", "none", "frozen"}


def fields(data: dict[str, Any], kinds: dict[str, Any], what: str) -> None:
    """Exactly these fields, of these kinds."""
    assert set(data) == set(kinds), f"{what}: {set(data) ^ set(kinds)}"
    for name, kind in kinds.items():
        assert isinstance(data[name], kind), f"{what}.{name} is {data[name]!r}"


def site(data: dict[str, Any] | None, what: str) -> None:
    """A site, or None."""
    if data is not None:
        fields(data, SITE, what)


def check(message: dict[str, Any], history: Any = None) -> None:
    """A snapshot and its history, as they go over the wire."""
    json.dumps(message, allow_nan=False)
    view = message["view"]
    fields(message, {**COMMON, **{"tape": TAPE, "gradients": GRADIENTS, "memory": MEMORY}[view]}, view)
    assert message["v"] == 1
    assert message["state"] in ("live", "idle", "ended")
    for one in message["sentence_sites"]:
        fields(one, SITE, "sentence_sites")
        assert one["text"] in message["sentence"]
    {"tape": _tape, "gradients": _gradients, "memory": _memory}[view](message)
    if view != "tape" and history is not None:
        rows = 2 + 2 * len(message["parameters"]) if view == "gradients" else 1 + len(message["roles"])
        assert len(history) == rows
        assert all(len(row) == message["columns"] <= 240 for row in history)


def _tape(message: dict[str, Any]) -> None:
    kinds = {}
    for number, node in enumerate(message["nodes"]):
        fields(node, NODE, "node")
        assert node["id"] == number
        assert node["kind"] in ("op", "parameter", "input")
        kinds[number] = node["kind"]
        site(node["site"], "node.site")
        for each in node["inputs"]:
            fields(each, {"name": str, "shape": list, "dtype": str}, "input")
        for what in ("value", "grad"):
            if node[what] is not None:
                fields(node[what], STATS, what)
                assert node[what]["hist"] is None or len(node[what]["hist"]) == 32
    for source, target, size in message["edges"]:
        assert source < target in kinds and size >= 0
    paths = {scope["path"] for scope in message["scopes"]}
    assert {node["scope"] for node in message["nodes"]} - {""} <= paths


def _gradients(message: dict[str, Any]) -> None:
    for row in message["parameters"]:
        fields(row, PARAMETER, "parameter")
        assert row["status"] in STATUSES
        site(row["site"], "parameter.site")


def _memory(message: dict[str, Any]) -> None:
    assert message["roles"] == ["parameters", "gradients", "optimizer", "saved", "other"]
    assert len(message["holders"]) <= 12 and len(message["lines"]) <= 12
    for row in message["holders"]:
        fields(row, HOLDER, "holder")
        site(row["site"], "holder.site")
    for row in message["lines"]:
        fields(row, {"site": dict, "bytes": int, "count": int}, "line")
        site(row["site"], "line.site")
