"""Adam: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import DtypeError
from .kernels import update_adam
from .optimizer import Closure, Optimizer


class Adam(Optimizer):
    """Adam, with AMSGrad and decoupled weight decay if wanted.

    m = beta1 * m + (1 - beta1) * g,  v = beta2 * v + (1 - beta2) * g**2,
    p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps).

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the two averages is kept in each step.
        eps: keeps the denominator away from zero.
        weight_decay: the L2 factor, added to the gradient.
        amsgrad: divide by the largest v so far.
        maximize: go up instead of down.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient, as AdamW does.

    Source: Kingma, Ba, 2015; AMSGrad: Reddi, Kale, Kumar, 2018.

    >>> import tapescope as ts
    >>> w = ts.nn.Parameter(ts.tensor([1.0]))
    >>> (w * w).sum().backward()
    >>> ts.optim.Adam([w], lr=0.1).step()
    >>> w
    Parameter containing:
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        for name, value in (("learning rate", lr), ("epsilon value", eps), ("weight_decay value", weight_decay)):
            if not value >= 0:
                raise ValueError(f"Invalid {name}: {value}")
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
                "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip

    def step(self, closure: Closure | None = None) -> Any:
        """Change every parameter that has a gradient. Returns what `closure`, if given, returns."""
        loss = self._loss_of(closure)
        for group in self.param_groups:
            cached: dict[Any, np.ndarray] = {}
            decoupled = bool(group["decoupled_weight_decay"])
            for p in group["params"]:
                grad = p.grad
                if grad is None:
                    continue
                array, state = p._array, self.state[p]
                if not state:
                    _begin(state, p, group["amsgrad"])
                count = state["step"]._array
                count += 1
                key = float(count), array.dtype
                c = cached.get(key)
                if c is None:
                    c = cached[key] = _numbers(group, *key)
                top = state["max_exp_avg_sq"]._array if group["amsgrad"] else None
                update_adam(array, grad._array, state["exp_avg"]._array, state["exp_avg_sq"]._array, top, c, decoupled)
                p._bump()
        return loss


def _begin(state: dict[str, Any], p: Tensor, amsgrad: bool) -> None:
    """The state of a parameter before its first step: count 0, averages 0."""
    array = p._array
    if not p.dtype.is_floating_point:
        raise DtypeError(
            f"Adam: a parameter of shape {array.shape} has dtype {p.dtype}, expected a floating-point dtype."
        )
    state["step"] = Tensor._wrap(np.zeros((), np.float32))
    for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq"):
        state[name] = Tensor._wrap(np.zeros(array.shape, array.dtype))


def _numbers(group: dict[str, Any], step: float, dtype: np.dtype) -> np.ndarray:
    """The numbers of step `step`, worked out in double precision, as `update_adam` takes them."""
    lr, (beta1, beta2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
    return np.array(
        [
            1 - beta1, beta2, 1 - beta2, math.sqrt(1 - beta2**step), group["eps"], -lr / (1 - beta1**step),
            1 - lr * decay if group["decoupled_weight_decay"] else decay, -1 if group["maximize"] else 1,
        ],
        dtype,
    )  # fmt: skip
