"""SGD: stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from .kernels import update_momentum, update_sgd
from .optimizer import Closure, Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's variant if wanted.

    With d = gradient + weight_decay * p:  m = momentum * m + (1 - dampening) * d,  p = p - lr * m.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        momentum: the part of the last direction that is kept.
        dampening: the part of the gradient that is left out of the direction.
        weight_decay: the L2 factor.
        nesterov: step along d + momentum * m.
        maximize: go up instead of down.

    Source: Sutskever, Martens, Dahl, Hinton, 2013; the momentum is not scaled by lr, as in PyTorch.

    >>> import tapescope as ts
    >>> w = ts.nn.Parameter(ts.tensor([1.0]))
    >>> (w * w).sum().backward()
    >>> ts.optim.SGD([w], lr=0.25).step()
    >>> w.tolist()
    [0.5]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        for name, value in (("learning rate", lr), ("momentum value", momentum), ("weight_decay value", weight_decay)):
            if not value >= 0:
                raise ValueError(f"Invalid {name}: {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                "nesterov": nesterov, "maximize": maximize,
            },
        )  # fmt: skip

    def step(self, closure: Closure | None = None) -> Any:
        """Change every parameter that has a gradient. Returns what `closure`, if given, returns."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    self._update(group, p, grad)
        return loss

    def _update(self, group: dict[str, Any], p: Tensor, grad: Tensor) -> None:
        momentum, sign = float(group["momentum"]), -1 if group["maximize"] else 1
        numbers = [float(group["lr"]), float(group["weight_decay"]), sign]
        array = p._array
        if momentum == 0:
            update_sgd(array, grad._array, np.array(numbers, array.dtype))
        else:
            state = self.state[p]
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = Tensor._wrap(np.zeros(array.shape, array.dtype))
                numbers += [0, 1, momentum]
            else:
                numbers += [momentum, 1 - group["dampening"], momentum]
            update_momentum(array, grad._array, buffer._array, np.array(numbers, array.dtype), group["nesterov"])
        p._bump()
