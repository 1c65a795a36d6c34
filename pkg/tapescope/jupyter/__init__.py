"""Tapescope in the notebook: cells, magics, widgets, tracebacks, and the wire to the browser.

``%load_ext tapescope`` calls :func:`load`. Invariant: loading twice changes nothing; unloading puts everything back.
"""

from .session import load, unload

__all__ = ["load", "unload"]
