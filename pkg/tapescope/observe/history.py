"""A history of fixed width: when it is full, neighbours are merged two by two.

Called by the gradient and memory views. Invariant: the first column stays first, so an axis grows and never jumps.
"""

from __future__ import annotations

import numpy as np

COLUMNS = 240


class History:
    """Columns of numbers over steps or time.

    Args:
        rows: how many numbers a column has; the first is the axis (step or time).
        merge: how two neighbours become one: "mean" (of what is there) or "max".
        columns: the width.
    """

    def __init__(self, rows: int, merge: str = "mean", columns: int = COLUMNS) -> None:
        self.merge, self.width = merge, columns
        self.each = 1  # samples in a full column
        self.filled = 0  # samples in the last column
        self.count = 0
        self.data = np.full((rows, columns), np.nan, np.float32)

    def add(self, values: list[float] | np.ndarray) -> None:
        """Append one sample."""
        if self.count and self.filled < self.each:
            self._blend(np.asarray(values, np.float32))
            return
        if self.count == self.width:
            self._halve()
        if self.count and self.filled < self.each:
            self._blend(np.asarray(values, np.float32))
            return
        self.data[:, self.count] = values
        self.count += 1
        self.filled = 1

    def _blend(self, values: np.ndarray) -> None:
        last = self.data[:, self.count - 1]
        if self.merge == "max":
            mixed = np.fmax(last, values)
        else:
            weight = 1.0 / (self.filled + 1)
            mixed = np.where(np.isnan(last), values, np.where(np.isnan(values), last, _mean(last, values, weight)))
        mixed[0] = values[0]
        self.data[:, self.count - 1] = mixed
        self.filled += 1

    def _halve(self) -> None:
        left, right = self.data[:, 0::2], self.data[:, 1::2]
        if self.merge == "max":
            mixed = np.fmax(left, right)
        else:
            mixed = np.where(np.isnan(left), right, np.where(np.isnan(right), left, _mean(left, right, 0.5)))
        mixed[0] = right[0]
        mixed[0, 0] = left[0, 0]
        half = mixed.shape[1]
        self.data[:, :half], self.data[:, half:] = mixed, np.nan
        self.count, self.each = half, self.each * 2
        self.filled = self.each

    def rows(self) -> np.ndarray:
        """A copy of what is filled, float32, ``(rows, count)``."""
        return self.data[:, : self.count].copy()


def _mean(left: np.ndarray, right: np.ndarray, weight: float) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return left * np.float32(1 - weight) + right * np.float32(weight)
