"""Handles that take a hook away again."""

from __future__ import annotations

import itertools
from typing import Any

_ids = itertools.count()


class RemovableHandle:
    """What registering a hook returns: ``handle.remove()`` takes the hook away; also a context manager."""

    def __init__(self, hooks: Any, hook: Any = None) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        if isinstance(hooks, dict):
            hooks[self.id] = hook
        else:
            self._hook = hook
            hooks.append(hook)

    def remove(self) -> None:
        """Take the hook away; harmless if it is gone already."""
        if isinstance(self._hooks, dict):
            self._hooks.pop(self.id, None)
        elif self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
