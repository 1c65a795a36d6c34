"""Runs a piece of a user's code under a file name of its own, so that places in text forms can be compared."""

from __future__ import annotations

import linecache
from typing import Any

HEAD = "import tapescope as ts; import tapescope.nn.functional as F; from tapescope import nn, optim\n"


def run(source: str, file: str = "model.py", **names: Any) -> dict[str, Any]:
    """The names that ``source`` leaves; its line n is line n + 1 of ``file`` (line 1 imports)."""
    text = HEAD + source
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"__name__": "__user__", **names}
    exec(compile(text, file, "exec"), space)
    return space
