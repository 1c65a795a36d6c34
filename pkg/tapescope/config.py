"""Settings of the process. Read by every layer, written by the user or by environment variables, never at import."""

from __future__ import annotations

import os

default_dtype: str = "float32"

# "auto": Numba where it is installed; "off": NumPy only (also what happens where Numba is missing).
jit: str = os.environ.get("TAPESCOPE_JIT", "auto")

# Elements from which a compiled elementwise kernel beats the NumPy expression it replaces.
jit_min_elements: int = 16_384
