"""The conductor of the live views: which steps are looked at, and by whom.

Called by the tape's events and the optimizers' hooks. Invariants: a step that is not sampled pays two Python calls;
the lists of per-node events hold something only during a sampled step; nothing that goes wrong here reaches the user's
loop: a probe that fails is dropped for the step, and its view says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..autograd import events
from ..optim import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from .governor import HIDDEN, SAVED_UP, Governor
from .probes import FRAME, Probe
from .views import View

IDLE = 2.0  # s without events: the loop has ended
SETTLE = 0.5  # s after backward without an optimizer's step: there is none
ALONE = 0.5  # s since the last backward: a step made by hand, whose forward could not be foreseen
EAGER = 2  # frames of a run that are shown as soon as they can be
EAGER_GAP = 0.03  # s between those

_OFF, _FORWARD, _BACKWARD, _STEP = range(4)


class Conductor:
    """Runs all live views of the process on the steps of whatever loop is running."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.governor = Governor()
        self.probes: list[Probe] = []
        self.listeners: list[Callable[[], Any]] = []  # f(): the list of views has changed
        self.steps = 0
        self.sampled = 0  # steps
        self._lock = threading.RLock()
        self._active: list[Probe] = []
        self._stage = _OFF
        self._wake = 0.0
        self._moving = False  # whether an optimizer's step is under way; its first one may compile for seconds
        self._handles: list[Any] = []
        self._previous = self._began = 0.0
        self._last_event = float("-inf")
        self._rested = True  # whether no backward has come since a loop ended
        self._longest = 0.0  # s, the slowest sampled step
        self._watchdog: threading.Thread | None = None
        self._bell = threading.Event()

    # -- views -------------------------------------------------------------------------------------------------

    def add(self, probe: Probe) -> None:
        """Take up a live view; the next step is sampled."""
        with self._lock:
            self.prune()
            self._replace(probe.view)
            if not self.probes:
                events.before_backward.append(self._before_backward)
                events.after_backward.append(self._after_backward)
            probe.began_at = self.steps
            self.probes.append(probe)
            probe.view.closers.append(self.remove)
            self._give_up()
            self._last_event = self.clock()
            self._plan(self._last_event)
            self._watch()
        self._changed()

    def remove(self, view: View) -> None:
        """Let go of a view that has ended."""
        with self._lock:
            if any(probe.view is view for probe in self._active):
                self._finish()
            for probe in self.probes:
                if probe.view is view and probe.unshown:
                    self._contained(probe, probe.flush)
            before = len(self.probes)
            self.probes = [probe for probe in self.probes if probe.view is not view]
            self._active = [probe for probe in self._active if probe.view is not view]
            if before == len(self.probes):
                return
            if not self.probes:
                self._give_up()
                events.before_backward.remove(self._before_backward)
                events.after_backward.remove(self._after_backward)
        self._changed()

    def prune(self) -> None:
        """End the views of models that are gone."""
        for probe in list(self.probes):
            if probe.gone():
                probe.view.close()

    def _replace(self, view: View) -> None:
        """A view made again at the same place takes the older one's."""
        for probe in list(self.probes):
            old = probe.view
            if old.kind != view.kind or old.site is None or view.site is None:
                continue
            one, two = old.site, view.site
            rerun = one.cell is not None and one.cell == two.cell and one.count != two.count
            if rerun or (old.origin is not None and old.origin == view.origin):
                old.close()

    @property
    def views(self) -> list[View]:
        """The live views, oldest first."""
        return [probe.view for probe in self.probes]

    def _changed(self) -> None:
        for listener in list(self.listeners):
            try:
                listener()
            except Exception:
                self.listeners.remove(listener)

    # -- the steps -----------------------------------------------------------------------------------------------

    def _before_backward(self, root: Any) -> None:
        if self._stage == _OFF:
            now = self.clock()
            if not (self._rested or now - self._last_event > ALONE) or not self._due(now):
                return  # in a loop the step is planned before its forward
            with self._lock:
                self._start(self._due(now), forward=False)
        elif self._stage == _STEP:  # no optimizer came
            self._finish()
            if self._stage == _OFF:
                return
        if self._stage == _FORWARD:
            self._unhook_forward()
            self._stage = _BACKWARD
            self._leave_strangers(root)
            if not self._active:
                self._stage = _OFF
                return
            self._each("before_backward", root)
            if any("node_done" in probe.needs for probe in self._active):
                events.node_done.append(self._node_done)

    def _leave_strangers(self, root: Any) -> None:
        """A backward that is not about what a probe watches is not its step."""
        began = self.clock()
        for probe in list(self._active):
            try:
                mine = probe.concerns(root)
            except Exception as error:
                probe.view.trouble, mine = error, False
            if not mine:
                probe.drop()
                probe.purse -= self.clock() - began
                self._active = [other for other in self._active if other is not probe]
        self.governor.pay(self.clock() - began)

    def _after_backward(self, root: Any) -> None:
        self.steps += 1
        self._rested = False
        now = self._last_event = self.clock()
        if self._stage == _OFF:
            if now >= self._wake:
                with self._lock:
                    self._plan(now)
        elif self._stage == _BACKWARD:
            _discard(events.node_done, self._node_done)
            self._each("after_backward", root)
            self._stage = _STEP
            self._moving = False
            self._handles = [
                register_optimizer_step_pre_hook(self._before_step),
                register_optimizer_step_post_hook(self._after_step),
            ]

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._stage == _STEP:
            self._moving = True
            self._each("before_step", optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._stage == _STEP:
            self._each("after_step", optimizer)
            self._finish()

    def _recorded(self, node: Any, tensor: Any) -> None:
        began = self.clock()
        elapsed = began - self._previous
        for probe in self._active:
            if "recorded" in probe.needs:
                self._contained(probe, probe.recorded, node, tensor, elapsed)
        self._previous = self.clock()
        self.governor.pay(self._previous - began)

    def _created(self, tensor: Any) -> None:
        began = self.clock()
        for probe in self._active:
            if "created" in probe.needs:
                self._contained(probe, probe.created, tensor)
        done = self.clock()
        self._previous += done - began
        self.governor.pay(done - began)

    def _node_done(self, node: Any, grads: Any) -> None:
        began = self.clock()
        for probe in self._active:
            if "node_done" in probe.needs:
                self._contained(probe, probe.node_done, node, grads)
        self.governor.pay(self.clock() - began)

    def _each(self, phase: str, *arguments: Any) -> None:
        """One phase of the sampled step, for all probes."""
        began = self.clock()
        with self._lock:
            for probe in list(self._active):
                self._contained(probe, getattr(probe, phase), *arguments)
        self.governor.pay(self.clock() - began)

    def _contained(self, probe: Probe, function: Callable[..., Any], *arguments: Any) -> None:
        began = self.clock()
        try:
            function(*arguments)
        except Exception as error:
            probe.view.trouble = error
            self._active = [other for other in self._active if other is not probe]
            probe.drop()
            probe.sampled_at = began
        probe.step_cost += self.clock() - began

    # -- sampling ------------------------------------------------------------------------------------------------

    def _due(self, now: float) -> list[Probe]:
        """The probes whose turn it is, longest unseen first, as far as their purses reach, and the common one."""
        chosen = []
        for probe in sorted(self.probes, key=lambda probe: probe.sampled_at):
            eager = probe.frames < EAGER
            if self._turn(probe) > now or not self.governor.allows(0.0, eager):
                continue
            if eager or probe.purse >= min(probe.cost, SAVED_UP):
                chosen.append(probe)
        return chosen

    @staticmethod
    def _turn(probe: Probe) -> float:
        return probe.sampled_at + (EAGER_GAP if probe.frames < EAGER else probe.interval)

    def _plan(self, now: float) -> None:
        """Decide on the next step: sample it, or sleep until a probe is due and its purse is full enough."""
        earned = self.governor.pass_time(now) / max(len(self.probes), 1)
        for probe in self.probes:
            probe.purse = min(SAVED_UP, probe.purse + earned)
        chosen = self._due(now)
        if chosen:
            self._start(chosen, forward=True)
            return
        turns = [max(self._turn(probe), now + self._wait(probe)) for probe in self.probes]
        self._wake = max(min(turns, default=now), now + 0.001)

    def _wait(self, probe: Probe) -> float:
        """Seconds until a probe can pay for a look, if the loop goes on."""
        if probe.frames < EAGER:
            return 0.0
        lacking = (min(probe.cost, SAVED_UP) - probe.purse) * len(self.probes) / self.governor.share
        return max(lacking, self.governor.wait(0.0))

    def _start(self, chosen: list[Probe], forward: bool) -> None:
        self._active = chosen
        self._stage = _FORWARD
        self.sampled += 1
        began = self._began = self.clock()
        for probe in chosen:
            probe.step_cost = 0.0
            self._contained(probe, probe.begin)
        if forward:
            needs = {need for probe in chosen for need in probe.needs}
            if "recorded" in needs:
                events.recorded.append(self._recorded)
            if "created" in needs:
                events.created.append(self._created)
        self._previous = self.clock()
        self.governor.pay(self._previous - began + HIDDEN)

    def _finish(self) -> None:
        """The sampled step is over: frames go out, and the next step is planned."""
        with self._lock:
            if self._stage != _STEP:
                return
            began = self.clock()
            self._longest = max(0.9 * self._longest, began - self._began)
            self._stage = _OFF
            self._unhook_step()
            for probe in list(self._active):
                self._end(probe, began)
            self._active = []
            self.governor.pay(self.clock() - began)
            self._watch()
            self._plan(self.clock())

    def _end(self, probe: Probe, now: float) -> None:
        if probe.gone():
            probe.view.close()
            return
        if probe.view.state == "ended":
            return
        frame = probe.frames < EAGER or now - probe.framed_at >= FRAME
        if frame:
            probe.view.state = "live"
        self._contained(probe, probe.finish, self.steps - probe.began_at, frame)
        probe.sampled_at, probe.unshown = now, not frame
        if frame:
            probe.frames += 1
            probe.framed_at = now
        self._charge(probe)

    def _charge(self, probe: Probe) -> None:
        """Take the price of a look from the probe's purse, and learn from it what the next one will cost."""
        cost = probe.step_cost + HIDDEN / max(len(self._active), 1)
        usual = 4 * probe.cost
        if not probe.warm and cost > usual:
            self.governor.forgive(cost - usual)
            cost = usual
        else:
            probe.cost += 0.3 * (cost - probe.cost)
        probe.warm = True
        probe.purse -= cost

    def _unhook_forward(self) -> None:
        _discard(events.recorded, self._recorded)
        _discard(events.created, self._created)

    def _unhook_step(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _give_up(self) -> None:
        """Leave the sampled step, whatever stage it is in."""
        self._stage = _OFF
        self._unhook_forward()
        self._unhook_step()
        _discard(events.node_done, self._node_done)
        for probe in self._active:
            probe.drop()
        self._active = []

    def _show_last(self) -> None:
        """Show what was sampled last, where no frame was due for it."""
        for probe in list(self.probes):
            if probe.unshown or probe.refreshes:
                probe.unshown = False
                self._contained(probe, probe.flush)

    # -- pauses --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The code that ran has ended (a cell, an interrupted loop): finish or give up what was begun."""
        with self._lock:
            if self._stage == _STEP:
                self._finish()
            self._rest()

    def _rest(self) -> None:
        """No loop runs: whoever was live says so, and the next loop is seen from its first step."""
        self._give_up()
        self._show_last()
        self._wake = 0.0
        self._rested = True
        self.governor.pause()
        for probe in self.probes:
            if probe.frames and probe.view.state == "live":
                probe.view.set_state("idle")
            probe.frames = 0
            probe.purse = max(probe.purse, 0.0)

    def _watch(self) -> None:
        self._bell.set()
        if self._watchdog is None or not self._watchdog.is_alive():
            self._watchdog = threading.Thread(target=self._keep_watch, name="tapescope-watch", daemon=True)
            self._watchdog.start()

    def _keep_watch(self) -> None:
        """Notice that a loop has ended; sleeps while there is nothing to notice."""
        while True:
            self._bell.wait()
            time.sleep(SETTLE)
            with self._lock:
                self.check(self.clock())

    def check(self, now: float) -> None:
        """What the watchdog does, twice a second while a loop may be running."""
        quiet = now - self._last_event
        if self._stage == _STEP and self._moving:
            return
        if self._stage == _STEP and quiet > SETTLE:
            self._finish()
        if quiet > max(IDLE, 2 * self._longest):
            self._rest()
            for probe in self.probes:
                if probe.view.state == "live":
                    probe.view.set_state("idle")
            self._bell.clear()


def _discard(listeners: list[Any], function: Any) -> None:
    if function in listeners:
        listeners.remove(function)


CONDUCTOR = Conductor()
