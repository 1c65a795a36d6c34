"""A tensor's values for Python and NumPy: numbers, lists, arrays, truth, length, iteration.

The base of Tensor that needs nothing of the tape but whether there is one. Invariant: nothing here copies what can be
shared, and nothing gives an array away behind the tape's back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import DtypeError, GradError, ShapeError
from ..ops import join
from .record import ndarray


class Values:
    """What can be asked of a tensor's values."""

    __slots__ = ()

    _array: ndarray
    _edge: Any

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number.

        Raises:
            ShapeError: it has several elements, or none.
        """
        if self._array.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {self._array.shape} has {self._array.size} elements, expected one."
            )
        return self._array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> ndarray:
        """The NumPy array that shares its memory.

        Raises:
            GradError: it requires grad, and changes to the array would escape the tape; ``force=True`` gives it anyhow.
        """
        if self._edge is not None and not force:
            raise GradError("numpy: this tensor requires grad.", hint="Use x.detach().numpy().")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def _single(self, kind: str) -> Any:
        if self._array.size != 1:
            hint = "Use .any() or .all()." if kind == "bool" else None
            raise ShapeError(
                f"{kind}: a tensor of shape {self._array.shape} has {self._array.size} elements, expected one.",
                hint=hint,
            )
        return self._array.item()

    def __bool__(self) -> bool:
        return bool(self._single("bool"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __float__(self) -> float:
        return float(self._single("float"))

    def __complex__(self) -> complex:
        return complex(self._single("complex"))

    def __index__(self) -> int:
        if self._array.dtype.kind not in "biu":
            raise DtypeError(f"index: a tensor of {self._array.dtype} is not an integer.")
        return int(self._single("index"))

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(join.unbind(self, 0))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())
