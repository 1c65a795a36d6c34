"""Clipping gradients, in place: all together by their norm, or each element by its size."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...autograd import Tensor, composite
from ...errors import GradError


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in listed if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all tensors as if they were one vector: a 0-d tensor.

    Args:
        tensors: usually gradients.
        norm_type: the order p of the norm; inf for the largest absolute value.
        error_if_nonfinite: refuse a norm that is nan or infinite.

    Raises:
        GradError: the norm is not finite, and that was to be an error.
    """
    arrays = [t._array for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    p = float(norm_type)
    norms = np.array([np.linalg.norm(a.reshape(-1), p) if a.size else 0.0 for a in arrays] or [0.0], np.float64)
    total = float(np.linalg.norm(norms, p))
    if error_if_nonfinite and not math.isfinite(total):
        which = [i for i, n in enumerate(norms) if not math.isfinite(n)]
        raise GradError(
            f"The total norm of order {p} for gradients is non-finite ({total}), so it cannot be clipped. Gradients "
            f"{which} (in the order given) are not finite.",
            hint="To clip by it anyway, set error_if_nonfinite=False.",
        )
    return Tensor._wrap(np.array(total, arrays[0].dtype if arrays else np.float32))


@composite
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients by one factor so that their total norm is at most `max_norm`.

    Args:
        parameters: those whose gradients are clipped; the ones without are passed over.
        max_norm: the largest norm allowed.
        norm_type: the order p of the norm; inf for the largest absolute value.
        error_if_nonfinite: refuse a norm that is nan or infinite.

    Returns:
        The norm before clipping, a 0-d tensor.

    Source: Pascanu, Mikolov, Bengio, 2013.
    """
    grads = _grads(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    factor = float(max_norm) / (float(total._array) + 1e-6)
    if not factor >= 1:  # also where it is nan: a norm that is not finite spoils every gradient, as in PyTorch
        with np.errstate(all="ignore"):
            for grad in grads:
                np.multiply(grad._array, grad._array.dtype.type(factor), out=grad._array)
                grad._bump()
    return total


@composite
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of every gradient to -clip_value .. clip_value."""
    limit = float(clip_value)
    for grad in _grads(parameters):
        np.clip(grad._array, -limit, limit, out=grad._array)
        grad._bump()
