"""Dropout: noise for training."""

from __future__ import annotations

from ..autograd import Tensor
from ..ops.random import dropout
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability `p` and scale the rest by 1 / (1 - p); the identity in eval.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
