"""Dropout, and the filling of new arrays with random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backends.random import Generator, default_generator
from .compare import array
from .record import Op, ndarray, run


def _dropped(x: ndarray, mask: ndarray, scale: float) -> ndarray:
    out = np.multiply(x, mask)
    out *= x.dtype.type(scale)
    return out


_dropout = Op("dropout", _dropped, (lambda g, mask, scale: g * mask * scale, None), saves=(1,), names=("input", "mask"))


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Each element zeroed with probability ``p``, the rest scaled by ``1 / (1 - p)``; the input itself unless training.

    Gradient: ``g`` through the same mask. Source: Srivastava et al., 2014.

    Example:
        >>> import tapescope as ts
        >>> _ = ts.manual_seed(0)
        >>> kept = ts.nn.functional.dropout(ts.ones(1000), 0.25) > 0
        >>> 0.7 < kept.float().mean().item() < 0.8
        True
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: the probability must lie in 0 to 1, got {p}.")
    if not training or p == 0:
        return input
    shape = input.shape
    words = default_generator.halves(math.prod(shape)).reshape(tuple(shape))
    mask = words >= np.uint32(min(p * 2.0**32, 2**32 - 1)) if p < 1 else np.zeros(tuple(shape), bool)
    out = run(_dropout, (input, mask), (1 / (1 - p) if p < 1 else 0.0,))
    return input.copy_(out) if inplace else out


def uniform(
    shape: tuple[int, ...], dtype: np.dtype[Any], generator: Generator | None, low: float = 0, high: float = 1
) -> ndarray:
    """Uniform numbers in [low, high)."""
    values = (generator or default_generator).uniform(math.prod(shape), dtype.itemsize > 4).reshape(shape)
    if low != 0 or high != 1:
        values = values * values.dtype.type(high - low) + values.dtype.type(low)
    return values.astype(dtype, copy=False)


def normal(
    shape: tuple[int, ...], dtype: np.dtype[Any], generator: Generator | None, mean: float = 0, std: float = 1
) -> ndarray:
    """Normal numbers."""
    values = (generator or default_generator).normal(math.prod(shape), dtype.itemsize > 4).reshape(shape)
    if mean != 0 or std != 1:
        values = values * values.dtype.type(std) + values.dtype.type(mean)
    return values.astype(dtype, copy=False)


def integers(shape: tuple[int, ...], dtype: np.dtype[Any], generator: Generator | None, low: int, high: int) -> ndarray:
    """Integers in [low, high), by the high half of a 64-bit product (Lemire, 2019), without its rejection step."""
    words = (generator or default_generator).words(math.prod(shape))
    span = np.uint64(high - low)
    values = words % span if high - low > 2**32 else (words >> np.uint64(32)) * span >> np.uint64(32)
    return (values.astype(np.int64) + low).reshape(shape).astype(dtype, copy=False)


def permutation(n: int, dtype: np.dtype[Any], generator: Generator | None) -> ndarray:
    """The numbers 0 to n-1 in random order: those of the sorted random words."""
    return np.argsort((generator or default_generator).words(n), kind="stable").astype(dtype, copy=False)


def choose(weights: Any, count: int, replacement: bool, generator: Generator | None) -> ndarray:
    """``count`` places drawn by ``weights`` (last axis): by inverse of the sum, or without replacement by Gumbel keys."""
    w = array(weights).astype(np.float64)
    source = generator or default_generator
    rows = w.reshape(-1, w.shape[-1])
    if replacement:
        bounds = np.cumsum(rows, 1)
        draws = source.uniform(rows.shape[0] * count, True).reshape(rows.shape[0], count) * bounds[:, -1:]
        picked = np.stack([np.searchsorted(b, d, "right") for b, d in zip(bounds, draws, strict=True)])
    else:
        keys = np.log(-np.log1p(-source.uniform(rows.size, True).reshape(rows.shape))) - np.log(rows)
        picked = np.argsort(keys, 1)[:, :count]
    return np.minimum(picked, w.shape[-1] - 1).reshape((*w.shape[:-1], count))
