"""Random numbers from a counter: Philox 4x64-10, the same on every device for the same seed.

Called by the random ops. Invariant: a draw of n numbers depends on (seed, offset) alone, and moves the offset on by
whole blocks of four 64-bit words, so that a device kernel can compute any element from its index.
Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

import numpy as np

_WORDS = 4  # 64-bit words that one step of the counter gives


class Generator:
    """A stream of random numbers with a seed, as in PyTorch.

    Example:
        >>> import tapescope as ts
        >>> g = ts.Generator().manual_seed(3)
        >>> bool((ts.rand(4, generator=g) == ts.rand(4, generator=ts.Generator().manual_seed(3))).all())
        True
    """

    def __init__(self, device: Any = None) -> None:
        self._lock = threading.Lock()
        self.manual_seed(secrets.randbits(63))

    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream of ``seed`` (any integer, taken modulo 2**64). Returns the generator."""
        self._start(int(seed) % 2**64, 0)
        return self

    def seed(self) -> int:
        """Begin a stream of a fresh seed from the operating system, and return that seed."""
        self.manual_seed(secrets.randbits(63))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the stream began with."""
        return self._seed

    def get_state(self) -> Any:
        """The whole state: a pair (seed, offset in blocks)."""
        return (self._seed, self._offset)

    def set_state(self, state: Any) -> None:
        """Go on from a state that :meth:`get_state` gave."""
        self._start(*state)

    def _start(self, seed: int, offset: int) -> None:
        self._seed, self._offset = seed, offset
        self._bits = np.random.Philox(key=seed, counter=offset)

    def words(self, count: int) -> np.ndarray:
        """``count`` uniform 64-bit words (uint64)."""
        blocks = -(-count // _WORDS)
        with self._lock:
            self._offset += blocks
            return self._bits.random_raw(blocks * _WORDS)[:count]

    def halves(self, count: int) -> np.ndarray:
        """``count`` uniform 32-bit words (uint32)."""
        return self.words((count + 1) // 2).view(np.uint32)[:count]

    def uniform(self, count: int, double: bool = False) -> np.ndarray:
        """``count`` floats in [0, 1): 24 random bits in float32, 53 in float64."""
        if double:
            return (self.words(count) >> np.uint64(11)) * 2.0**-53
        return (self.halves(count) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)

    def normal(self, count: int, double: bool = False) -> np.ndarray:
        """``count`` standard normal floats, in pairs by Box and Muller (1958)."""
        pairs = (count + 1) // 2
        u = self.uniform(2 * pairs, double)
        radius = np.sqrt(-2 * np.log1p(-u[:pairs]))
        angle = u[pairs:] * u.dtype.type(2 * np.pi)
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


default_generator = Generator()
