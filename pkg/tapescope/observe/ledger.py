"""The memory ledger: which line made how many bytes that are still alive.

Called by the memory view, and by whoever wants exact attribution: ``with MemoryLedger() as ledger: ...``.
Invariant: it holds nothing alive; what it knows of an array dies with the array.
"""

from __future__ import annotations

import sys
import weakref
from collections import Counter
from types import CodeType, TracebackType
from typing import Any, Self

from ..autograd import events
from .numbers import base_of
from .sites import site_of, users_frame

Key = tuple[CodeType, int]


class MemoryLedger:
    """Counts live bytes by the line that created them, from the moment it is entered.

    Attributes:
        live: bytes alive of what was created since then.
        peak: the most that was alive at once, bytes.

    >>> import tapescope as ts
    >>> from tapescope.observe.ledger import MemoryLedger
    >>> with MemoryLedger() as ledger:
    ...     x = ts.ones(1024)
    ...     y = x + x
    ...     del x
    >>> ledger.live, ledger.peak
    (4096, 8192)
    """

    def __init__(self) -> None:
        self.live = self.peak = 0
        self._entries: dict[int, tuple[weakref.ref, int, Key]] = {}
        self._bytes: Counter[Key] = Counter()
        self._counts: Counter[Key] = Counter()
        self._on = False

    def start(self) -> None:
        """Begin to listen."""
        if not self._on:
            events.created.append(self.created)
            self._on = True

    def stop(self) -> None:
        """Stop listening; what was counted is followed until it dies."""
        if self._on:
            self._on = False
            events.created.remove(self.created)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def created(self, tensor: Any) -> None:
        """Count a new tensor's storage, once."""
        array = tensor._array
        base = base_of(array)
        known = id(base)
        if known in self._entries or (base is not array and _is_view(tensor)):
            return
        frame = users_frame(sys._getframe(1))
        if frame is None or base.nbytes == 0:
            return
        key = (frame.f_code, frame.f_lasti)
        size = base.nbytes
        entries = self._entries

        def gone(_: Any, known: int = known) -> None:
            entry = entries.pop(known, None)
            if entry is not None:
                self._forget(entry[1], entry[2])

        entries[known] = (weakref.ref(base, gone), size, key)
        self._bytes[key] += size
        self._counts[key] += 1
        self.live += size
        self.peak = max(self.peak, self.live)

    def _forget(self, size: int, key: Key) -> None:
        self.live -= size
        self._bytes[key] -= size
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._bytes[key], self._counts[key]

    def clear(self) -> None:
        """Forget everything counted so far."""
        self._entries.clear()
        self._bytes.clear()
        self._counts.clear()
        self.live = 0

    def lines(self, most: int = 12) -> list[dict[str, Any]]:
        """Live bytes by line, largest first: ``{"site", "bytes", "count"}``."""
        return lines_of(dict(self._bytes), dict(self._counts), most)


def _is_view(tensor: Any) -> bool:
    """Whether a tensor shows the memory of an older one, rather than a part of what its op has just made."""
    edge = tensor._edge
    op = getattr(getattr(edge, "node", edge), "op", None)
    return op is None or op.view


def lines_of(sizes: dict[Key, int], counts: dict[Key, int], most: int = 12) -> list[dict[str, Any]]:
    """Bytes by instruction, summed by line and put into words."""
    by_line: dict[str, dict[str, Any]] = {}
    for (code, lasti), size in sorted(sizes.items(), key=lambda item: -item[1])[: 4 * most]:
        site = site_of(code, lasti)
        row = by_line.setdefault(site.text, {"site": site.as_dict(), "bytes": 0, "count": 0})
        row["bytes"] += size
        row["count"] += counts[code, lasti]
    return sorted(by_line.values(), key=lambda row: -row["bytes"])[:most]
