"""The thread's recording state, as the tape sees it; defined where ops can reach it."""

from ..ops.context import STATE, State, Tag, composite

__all__ = ["STATE", "State", "Tag", "composite"]
