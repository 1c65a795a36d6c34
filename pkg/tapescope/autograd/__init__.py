"""The tape: Tensor, recording, the backward pass, and what is asked of them. PyTorch's names."""

from . import events, methods
from .api import backward, grad
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .handles import RemovableHandle
from .modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .node import Leaf, Node, Output
from .state import STATE, Tag, composite
from .tensor import Size, Tensor

__all__ = [
    "STATE", "GradcheckError", "Leaf", "Node", "Output", "RemovableHandle", "Size", "Tag", "Tensor", "backward",
    "composite", "enable_grad", "events", "grad", "gradcheck", "gradgradcheck", "is_grad_enabled", "methods", "no_grad",
    "set_grad_enabled",
]  # fmt: skip
