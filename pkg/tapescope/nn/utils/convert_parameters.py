"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...autograd import Tensor, composite
from ...errors import ShapeError
from ...ops.join import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The parameters' elements in one vector, in order; recorded, so gradients flow back."""
    return cat([p.reshape(-1) for p in parameters])


@composite
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into the parameters, in order.

    Raises:
        ShapeError: the vector is not as long as the parameters together; nothing is written.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected ts.Tensor, but got: {type(vec).__name__}")
    listed = list(parameters)
    total = sum(p.numel() for p in listed)
    if tuple(vec.shape) != (total,):
        raise ShapeError(
            f"vector_to_parameters: the vector has shape {tuple(vec.shape)}, the parameters need ({total},)"
        )
    start = 0
    for p in listed:
        end = start + p.numel()
        np.copyto(p._array, vec._array[start:end].reshape(p._array.shape), casting="unsafe")
        p._bump()
        start = end
