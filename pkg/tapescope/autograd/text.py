"""A tensor in words, as PyTorch prints it: four digits, columns aligned, large ones summarised."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes

_options = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def set_printoptions(precision: int | None = None, threshold: int | None = None, edgeitems: int | None = None,
                     linewidth: int | None = None, sci_mode: bool | None = None) -> None:  # fmt: skip
    """Set how tensors print: digits, the element count from which they are summarised, items kept at each edge, width."""
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


class _Numbers:
    """Writes the numbers of one tensor, all to the same width."""

    def __init__(self, shown: np.ndarray) -> None:
        self.kind = shown.dtype.kind
        self.precision: int = _options["precision"]  # type: ignore[assignment]
        self.whole = self.scientific = False
        if self.kind == "f":
            self._study(shown)
        self.width = 0
        counted = shown[np.isfinite(shown) & (shown != 0)] if self.kind == "f" else shown
        self.width = max((len(self(v)) for v in counted.reshape(-1).tolist()), default=1)

    def _study(self, shown: np.ndarray) -> None:
        finite = np.abs(shown[np.isfinite(shown) & (shown != 0)].astype(np.float64))
        self.whole = bool((finite == np.ceil(finite)).all())
        if finite.size:
            high, low = float(finite.max()), float(finite.min())
            self.scientific = high / low > 1000.0 or high > 1e8 or low < 1e-4
        if _options["sci_mode"] is not None:
            self.scientific = bool(_options["sci_mode"])

    def __call__(self, value: Any) -> str:
        return self._plain(value).rjust(self.width)

    def _plain(self, value: Any) -> str:
        if self.kind == "c":
            real, imaginary = _Numbers._float(self, value.real), _Numbers._float(self, abs(value.imag))
            return f"{real}{'-' if math.copysign(1, value.imag) < 0 else '+'}{imaginary}j"
        return self._float(value) if self.kind == "f" else str(value)

    def _float(self, value: float) -> str:
        if not math.isfinite(value):
            return str(value)
        if self.scientific:
            return f"{value:.{self.precision}e}"
        return f"{value:.0f}." if self.whole else f"{value:.{self.precision}f}"


def _shown(array: np.ndarray, edge: int) -> np.ndarray:
    """The elements that will be printed of a tensor that is summarised."""
    for axis, n in enumerate(array.shape):
        if n > 2 * edge:
            array = np.take(array, [*range(edge), *range(n - edge, n)], axis)
    return array


def _rows(array: np.ndarray, numbers: _Numbers, indent: int, edge: int | None) -> str:
    if array.ndim == 0:
        return numbers(array.tolist())
    n = array.shape[0]
    cut = edge is not None and n > 2 * edge
    places = [*range(edge), None, *range(n - edge, n)] if cut and edge is not None else list(range(n))
    if array.ndim == 1:
        return _line([" ..." if i is None else numbers(array[i].tolist()) for i in places], numbers, indent)
    gap = ",\n" + "\n" * (array.ndim - 2) + " " * (indent + 1)
    parts = ["..." if i is None else _rows(array[i], numbers, indent + 1, edge) for i in places]
    return "[" + gap.join(parts) + "]"


def _line(texts: list[str], numbers: _Numbers, indent: int) -> str:
    per_line = max(1, (int(_options["linewidth"] or 80) - indent) // (numbers.width + 2))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def tensor_text(tensor: Any, prefix: str = "tensor(") -> str:
    """What ``repr`` gives: the numbers, then dtype, device and gradient where they are not the usual."""
    array = tensor._array
    kind = dtypes.BY_NUMPY[array.dtype]
    readable = array.astype(np.float32) if kind in (dtypes.bfloat16, dtypes.float16) else array
    edge = int(_options["edgeitems"] or 3) if array.size > int(_options["threshold"] or 1000) else None
    if array.size == 0:
        body = "[]" if array.shape == (0,) else f"[], size={array.shape}"
    else:
        numbers = _Numbers(readable if edge is None else _shown(readable, edge))
        body = _rows(readable, numbers, len(prefix), edge)
    notes = []
    usual = (dtypes.default(), dtypes.bool_) if array.size == 0 else (dtypes.default(), dtypes.int64, dtypes.bool_)
    if kind not in usual:
        notes.append(f"dtype={kind}")
    edge_of = tensor._edge
    if edge_of is not None:
        notes.append("requires_grad=True" if tensor.is_leaf else f"grad_fn=<{edge_of.name}>")
    return ", ".join([prefix + body, *notes]) + ")"
