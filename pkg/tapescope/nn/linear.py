"""The linear layer, and the layer that does nothing."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor
from ..ops.linalg import linear
from . import init
from .module import Module
from .parameter import Parameter, empty_parameter


class Identity(Module):
    """Returns its input; takes any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """`input @ weight.T + bias`.

    Args:
        in_features, out_features: sizes of the last dimension of input and output.
        bias: False leaves the bias out.
        device, dtype: of the parameters.

    Shape: (..., in_features) to (..., out_features). Both parameters are drawn from
    U(-1 / sqrt(in_features), 1 / sqrt(in_features)).

    >>> import tapescope as ts
    >>> ts.nn.Linear(4, 2)(ts.ones(3, 4)).shape
    tapescope.Size([3, 2])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = empty_parameter((out_features, in_features), device, dtype)
        self.register_parameter("bias", empty_parameter((out_features,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # kaiming_uniform_ with a = sqrt(5) is U(-1 / sqrt(in_features), 1 / sqrt(in_features)).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None and self.in_features > 0:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        own = self._parameters
        try:
            return linear(input, own["weight"], own["bias"])
        except KeyError:  # somebody put a computed tensor in place of a parameter
            return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
