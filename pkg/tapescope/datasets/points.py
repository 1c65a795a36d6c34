"""Points in the plane that no straight line separates: for models small enough to watch.

Invariant: the same arguments give the same points on every machine.
"""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor
from .labelled import Labelled


class Points(Labelled):
    """Points in the plane with their classes.

    Attributes:
        points: (n, 2) float32.
        labels: (n,) int64.
    """

    @property
    def points(self) -> Tensor:
        """The points, (n, 2) float32."""
        return self.inputs


def two_moons(n: int = 400, noise: float = 0.1, seed: int = 0) -> Points:
    """Two half circles that reach into each other.

    Args:
        n: how many points, half of them in each class.
        noise: the standard deviation of the noise on each coordinate.
        seed: of the noise.

    Returns:
        A data set of (point (2,) float32, class int64: 0 or 1), in random order.

    >>> import tapescope as ts
    >>> moons = ts.datasets.two_moons(10)
    >>> moons.points.shape, int(moons.labels.sum())
    (tapescope.Size([10, 2]), 5)
    """
    _check(n, noise)
    upper = np.linspace(0, np.pi, n - n // 2)
    lower = np.linspace(0, np.pi, n // 2)
    points = np.concatenate(
        [np.stack([np.cos(upper), np.sin(upper)], 1), np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], 1)]
    )
    return _mixed(points, np.repeat([0, 1], [len(upper), len(lower)]), noise, seed)


def spirals(n: int = 600, classes: int = 3, noise: float = 0.05, turns: float = 0.75, seed: int = 0) -> Points:
    """Arms of a spiral, one class each.

    Args:
        n: how many points in all.
        classes: how many arms.
        noise: the standard deviation of the noise on each coordinate; the arms reach to radius 1.
        turns: how many turns each arm makes.
        seed: of the noise.

    Returns:
        A data set of (point (2,) float32, class int64), in random order.
    """
    _check(n, noise)
    if classes < 1:
        raise ValueError(f"spirals: classes should be at least 1, but got classes={classes}")
    labels = np.arange(n) % classes
    radius = (np.arange(n) // classes + 1) / -(-n // classes)
    angle = 2 * np.pi * (turns * radius + labels / classes)
    return _mixed(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), labels, noise, seed)


def _check(n: int, noise: float) -> None:
    if n < 1 or noise < 0:
        raise ValueError(f"expected at least one point and a noise that is not negative, but got n={n}, noise={noise}")


def _mixed(points: np.ndarray, labels: np.ndarray, noise: float, seed: int) -> Points:
    source = np.random.Generator(np.random.Philox(seed))
    points = points + noise * source.standard_normal(points.shape)
    order = source.permutation(len(points))
    return Points(Tensor._wrap(points[order].astype(np.float32)), Tensor._wrap(labels[order].astype(np.int64)))
