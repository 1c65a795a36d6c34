"""The governor: how often live views may look, so that all of them together cost at most a fixed share of the time.

Called by the conductor. Invariant: once warm, over any stretch longer than a few seconds the time spent stays below
``share`` of the time elapsed; at the start of a run a small debt is allowed, so that short loops are seen too.
"""

from __future__ import annotations

SHARE = 0.018  # of elapsed time, all live views together
SAVED_UP = 0.010  # s: the most that may be saved up for later
DEBT = 0.040  # s: the most that a run may begin with
HIDDEN = 0.0002  # s: what a sampled step costs beyond what is timed (hooks, caches gone cold); measured
GAP = 5.0  # s: a longer pause between plans is not the loop's time


class Governor:
    """A purse that fills with elapsed time and pays for looking."""

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self.purse = SAVED_UP
        self.spent = self.elapsed = 0.0
        self._last: float | None = None

    def pass_time(self, now: float) -> float:
        """The loop has come to ``now`` (s); gives what that earned."""
        passed = 0.0 if self._last is None else min(now - self._last, GAP)
        self.elapsed += passed
        earned = self.share * passed
        self.purse = min(SAVED_UP, self.purse + earned)
        self._last = now
        return earned

    def pause(self) -> None:
        """The loop has ended: the time until the next one does not count, and the next one begins without debt."""
        self._last = None
        self.purse = max(self.purse, 0.0)

    def pay(self, cost: float) -> None:
        """``cost`` seconds were spent."""
        self.spent += cost
        self.purse -= cost

    def forgive(self, cost: float) -> None:
        """``cost`` seconds were the price of a first, cold look: it does not come again."""
        self.purse += cost

    def allows(self, cost: float, eager: bool = False) -> bool:
        """Whether something that costs about this much may be done now."""
        return self.purse + (DEBT if eager else 0.0) >= min(cost, SAVED_UP)

    def wait(self, cost: float) -> float:
        """Seconds until that is so, if the loop goes on."""
        return max(0.0, (min(cost, SAVED_UP) - self.purse) / self.share)
