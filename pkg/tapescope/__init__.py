"""Tapescope: a deep-learning environment that lives in the notebook. ``import tapescope as ts``."""

from __future__ import annotations

import importlib as _importlib
import warnings as _warnings
from typing import Any as _Any

# NumPy warns of overflow and division by zero where tensors, as in PyTorch, quietly become inf or nan.
# Only what is computed inside this package is silenced; the user's own NumPy code warns as before.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tapescope\.(ops|autograd|optim|nn)\.")

from . import autograd, errors
from .autograd import (
    Size,
    Tensor,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)  # fmt: skip
from .autograd.creation import *  # noqa: F403
from .autograd.functions import *  # noqa: F403
from .autograd.text import set_printoptions
from .backends.devices import device
from .backends.random import Generator
from .dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from .dtypes import bool_ as bool
from .dtypes import default as get_default_dtype

from . import nn, optim, utils  # isort: skip  (they stand on what is above)

half, float, double, short, int, long = float16, float32, float64, int16, int32, int64

__version__ = "0.1.0"

_LATER = {
    "datasets": ".datasets",
    "jupyter": ".jupyter",
    "observe": ".observe",
}
_LATER_NAMES = {
    "save": ".serialization",
    "load": ".serialization",
    "tape": ".observe.api",
    "watch": ".observe.api",
    "memory": ".observe.api",
}


def __getattr__(name: str) -> _Any:
    if name in _LATER:
        return _importlib.import_module(_LATER[name], __name__)
    if name in _LATER_NAMES:
        return getattr(_importlib.import_module(_LATER_NAMES[name], __name__), name)
    raise AttributeError(f"module 'tapescope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_LATER_NAMES})


def load_ipython_extension(ipython: _Any) -> None:
    """``%load_ext tapescope``: the magics, the widgets and the traceback of the notebook."""
    from .jupyter import load

    load(ipython)


def unload_ipython_extension(ipython: _Any) -> None:
    """``%unload_ext tapescope``: put everything back."""
    from .jupyter import unload

    unload(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "tapescope"}]
