"""Numbers for views: statistics of arrays, and how sizes, values and tables are written.

Called by every view. Invariant: nothing here raises on strange values (empty, integer, NaN, huge); a view must
not fail on the data that it was opened to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 32
SAMPLE = 4096  # elements that mean, spread and histogram look at in a live view


@dataclass(frozen=True, slots=True)
class Stats:
    """What an array holds, in a few numbers. ``hist`` counts 32 equal bins from ``lo`` to ``hi``."""

    norm: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    nonfinite: int
    hist: list[int] | None
    lo: float | None
    hi: float | None

    def as_dict(self) -> dict[str, Any]:
        """The statistics as they go over the wire, in five digits; JSON knows no NaN, so there is none in it."""
        low, high = _digits(self.min), _digits(self.max)
        return {
            "norm": _digits(self.norm), "mean": _digits(self.mean), "std": _digits(self.std), "min": low, "max": high,
            "nonfinite": self.nonfinite, "hist": self.hist, "lo": low, "hi": high,
        }  # fmt: skip


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def norm(array: np.ndarray) -> float:
    """The Euclidean norm of all elements; inf or NaN if some are not finite."""
    flat = array.ravel()
    if flat.dtype.kind not in "fc" or flat.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    square = float(abs(np.vdot(flat, flat)))
    if square in (0.0, float("inf")) and flat.size:  # under- or overflow of the squares
        largest = float(np.abs(flat).max())
        if 0 < largest < float("inf"):
            scaled = flat / flat.dtype.type(largest)
            return largest * float(np.sqrt(abs(np.vdot(scaled, scaled))))
    return float(np.sqrt(square))


def _some(flat: np.ndarray, limit: int) -> np.ndarray:
    step = -(-flat.size // limit)
    return flat if step <= 1 else flat[::step]


def stats(array: np.ndarray, sample: int | None = None, histogram: bool = True) -> Stats | None:
    """Statistics of an array; mean, spread and histogram of at most ``sample`` elements where it is given."""
    if array.size == 0 or array.dtype.kind not in "fiub":
        return None
    flat = array.ravel()
    length = norm(flat)
    some = flat if sample is None else _some(flat, sample)
    if some.dtype.kind != "f" or some.dtype.itemsize < 4:
        some = some.astype(np.float32)
    bad = 0
    if not np.isfinite(length):
        bad = int(flat.size - np.count_nonzero(np.isfinite(flat)))
        some = some[np.isfinite(some)]
    if some.size == 0:
        return Stats(None, None, None, None, None, bad, None, None, None)
    mean = float(np.add.reduce(some)) / some.size
    low, high = float(np.minimum.reduce(some)), float(np.maximum.reduce(some))
    square = float(np.vdot(some, some)) / some.size
    spread = 0.0 if low == high else float(np.sqrt(max(square - mean * mean, 0.0)))
    counts = _histogram(some, low, high) if histogram else None
    return Stats(_finite(length), _finite(mean), _finite(spread), low, high, bad, counts, low, high)


def _histogram(values: np.ndarray, low: float, high: float) -> list[int]:
    if not high > low:
        return [values.size, *[0] * (BINS - 1)]
    scale = BINS / (high - low)
    if not np.isfinite(scale):
        return [values.size, *[0] * (BINS - 1)]
    index = ((values - low) * scale).astype(np.intp)
    np.minimum(index, BINS - 1, out=index)
    return np.bincount(index, minlength=BINS).tolist()


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def finite_or_none(value: float | None) -> float | None:
    """The number, or None in place of what JSON cannot say."""
    return None if value is None or not np.isfinite(value) else float(value)


def base_of(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory ``array`` shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def size(count: float) -> str:
    """A size in words, three significant digits: ``131 KiB``."""
    count = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000 or unit == "GiB":
            break
        count /= 1024
    return f"{int(count)} B" if unit == "B" else f"{_three(count)} {unit}"


def _three(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def number(value: float | None) -> str:
    """A number with three significant digits; ``–`` where there is none."""
    if value is None:
        return "–"
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 9999.5:
        text = f"{value:.3g}"
        return text if "e" not in text else f"{value:.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def shape(value: Sequence[int]) -> str:
    """A shape as Python writes it: ``(64, 10)``, ``(64,)``, ``()``."""
    return str(tuple(int(length) for length in value))


_SHORT = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}


def dtype(name: str) -> str:
    """A dtype in short: ``f32``, ``i64``, ``bool``."""
    stem = name.rstrip("0123456789")
    return f"{_SHORT[stem]}{name[len(stem) :]}" if stem in _SHORT else name


def plural(count: int, word: str) -> str:
    """``1 node``, ``14 nodes``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Aligned lines, two spaces between columns; the columns in ``right`` are flush right."""
    if not rows:
        return []
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
