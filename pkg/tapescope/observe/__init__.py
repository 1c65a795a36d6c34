"""What happened: call sites, the tape, gradients and memory as snapshots, each with a text form. Pure Python.

The functions are in ``api``; a view is a ``View`` with a snapshot that others draw.
"""

from .api import memory, tape, watch
from .views import View

__all__ = ["View", "memory", "tape", "watch"]
