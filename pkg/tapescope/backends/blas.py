"""How many threads a matrix product gets: one, where starting more costs more than it gains.

Called by the products in ``ops``. OpenBLAS, which NumPy's wheels bring, takes all threads from 262,144 multiply-adds on
(10 to 20 µs of work); on two busy cores that made products of 64x64x128 up to twenty times slower at the median, where
one thread was as fast as ever. Invariant: the number of threads outside such a product is the user's.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

FROM, UP_TO = 2**18, 2**22  # multiply-adds between which OpenBLAS would use several threads, and we do not let it

_control: tuple[Any, Any] | None | bool = (
    False  # (get, set); None where NumPy has another BLAS; False: not looked for yet
)


def _find() -> tuple[Any, Any] | None:
    """OpenBLAS's own functions, in the library that NumPy has loaded."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for prefix, suffix in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "64_"), ("openblas", "")):
        get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
        put = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
        if get is not None and put is not None:
            get.argtypes, get.restype, put.argtypes, put.restype = (), ctypes.c_int, (ctypes.c_int,), None
            return get, put
    return None


def dot(x: np.ndarray, y: np.ndarray) -> Any:
    """``x.dot(y)`` of two matrices."""
    if (x.size > 1024 or y.size > 1024) and FROM < x.size * y.shape[1] <= UP_TO:
        return _on_one_thread(np.dot, x, y)
    return x.dot(y)


def matmul(x: np.ndarray, y: np.ndarray) -> Any:
    """``np.matmul(x, y)``."""
    if x.ndim > 1 and y.ndim > 1 and FROM < x.shape[-2] * x.shape[-1] * y.shape[-1] <= UP_TO:
        return _on_one_thread(np.matmul, x, y)
    return np.matmul(x, y)


def _on_one_thread(product: Any, x: np.ndarray, y: np.ndarray) -> Any:
    global _control
    if _control is False:
        _control = _find()
    if not _control:
        return product(x, y)
    get, put = _control  # type: ignore[misc]
    threads = get()
    if threads < 2:  # also while another thread of the process is in here: it puts the number back
        return product(x, y)
    put(1)
    try:
        return product(x, y)
    finally:
        put(threads)
