"""PyTorch's import path for what is not a layer or an optimizer: `tapescope.utils.data`."""

from . import data

__all__ = ["data"]
