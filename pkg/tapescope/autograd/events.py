"""Where observers listen: short lists of callables, empty by default, and one truth test on the hot path when empty.

Owned by the tape, which does not know its observers. An observer appends its function and removes it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Listeners = list[Callable[..., Any]]

recorded: Listeners = []  # f(node, tensor): an op was recorded
created: Listeners = []  # f(tensor): a tensor was made by an op or a creation function
before_backward: Listeners = []  # f(root tensor)
after_backward: Listeners = []  # f(root tensor); also when backward raised
node_done: Listeners = []  # f(node, gradients of its inputs)
