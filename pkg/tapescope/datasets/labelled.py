"""What the data sets here share: inputs with a label each, by index, in batches, and split in two.

Invariant: a split is fixed by its seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from ..autograd import Tensor
from ..utils.data import Dataset


class Labelled(Dataset):
    """Inputs and labels of equal length; sample i is the pair (inputs[i], labels[i])."""

    def __init__(self, inputs: Tensor, labels: Tensor):
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.labels[index]

    def get_batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The inputs and labels at `indices`, as one batch."""
        rows = np.asarray(indices, np.intp)
        return [Tensor._wrap(self.inputs._array[rows]), Tensor._wrap(self.labels._array[rows])]

    def split(self, test: float = 0.2, seed: int = 0) -> tuple[Self, Self]:
        """Two parts without overlap, at random: the one to train on, and the share `test` to hold out.

        Args:
            test: the share of the samples to hold out, between 0 and 1.
            seed: the same seed gives the same split on every machine.
        """
        if not 0 < test < 1:
            raise ValueError(f"split: test should lie between 0 and 1, but got test={test}")
        # The order of sorted Philox words, rather than NumPy's permutation, which may change between its versions.
        order = np.argsort(np.random.Philox(key=seed).random_raw(len(self)), kind="stable")
        held_out = round(len(self) * test)
        return self._take(order[held_out:]), self._take(order[:held_out])

    def _take(self, rows: np.ndarray) -> Self:
        return type(self)(*self.get_batch(rows))  # type: ignore[arg-type]
