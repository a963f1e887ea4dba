"""`Run`: one run, with its epochs, its records and the reasons to end it."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.separability import lacks_a_class, may_tell, separation
from ..arrays.norm import norm_of
from ..extras import require
from ..objectives.absent import told_of_absent_rows
from ..objectives.on_host import placed
from ..objectives.protocol import team_of
from ..optimizers.base import Optimizer
from ..optimizers.curvature_rule import CurvatureRule
from ..optimizers.runner import Runner, Steps, StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .auto_rate import AutoRate
from .checkpoints import Checkpoints, Phase
from .diagnosis import FEW_ROWS, Diagnosis
from .monitor import Watch
from .record import Record, Row, RunSettings
from .result import Result, StartError
from .stopping import Progress, reads_change
from .supervision import supervision

_UNFINISHED = (
    StopReason.MAX_EPOCHS,
    StopReason.MAX_SECONDS,
    StopReason.DIVERGED,
    StopReason.CALLBACK,
    StopReason.INTERRUPTED,
    StopReason.SEPARABLE,
    StopReason.ROUNDING,
)
# After these ends, the run does not look for classes without a minimum.
_SAYS_NO_MORE = (StopReason.DIVERGED, StopReason.CALLBACK, StopReason.INTERRUPTED, StopReason.NO_IMPROVEMENT)
_SLICE_SECONDS = 0.1  # the longest time between two returns to Python
_NO_LIMIT = 1e6  # seconds
_BLOCK_STEPS = 16384  # the most learning rates that one call of the runner gets
_PATH_ELEMENTS = 1 << 20  # the most elements of the path that one call of the runner writes


class Run:
    """One run from one start. The runner changes w; with ``progress``, a bar shows how far the run is.

    The optimizer may have taken steps before the run. The steps of the run count from ``first_step``.
    """

    def __init__(
        self,
        objective: Any,
        optimizer: Optimizer | QuasiNewton,
        w: NDArray[Any],
        settings: RunSettings,
        runner: Runner,
        progress: bool = False,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.objective, self.optimizer, self.w, self.settings, self.runner = objective, optimizer, w, settings, runner
        self.supervision, self.team, self.checkpoints = supervision(), team_of(objective), checkpoints
        self.slice_steps = 1  # of a team, which counts in steps what others do by the clock
        self.auto: AutoRate | None = None
        self.n_epochs = 0
        self.phase, self.epoch_end = Phase.BETWEEN, 0  # the steps taken at the end of the epoch
        self.last_rate = math.nan
        self.record = Record(objective, optimizer, w, w.copy(), settings)
        self.rows = self.record.rows
        self.path: list[NDArray[Any]] | None = [w[None].copy()] if settings.record_path else None
        self.previous_w: NDArray[Any] | None = None
        self.change: float | None = None  # of w over the last two evaluated epochs, where something may read it
        readers = bool(settings.callbacks) or checkpoints is not None
        self.measures_change = readers or any(map(reads_change, settings.stop))
        self.fired = False  # whether a stopping rule did, at the last one
        self.rules_before: list[dict[str, Any]] = [{} for _ in settings.stop]  # the states that it found
        self.best_w: NDArray[Any] | None = None
        self.best_row = 0
        self.lowest = math.nan  # the validation loss there
        self.evaluation_seconds = 0.0
        self.evaluated_steps = -1
        self.first_step = runner.n_steps
        if isinstance(self.optimizer, CurvatureRule) and self.optimizer.is_auto:
            self.auto = AutoRate(self.objective, self.optimizer, self.w, self.settings.batch_size)
        self.rates = self.optimizer.rates if self.auto is None else self.auto.rates
        if self.auto is None and settings.validation is None and not settings.callbacks:
            self.runner.foresee(self.rates, self.first_step + settings.max_epochs * settings.steps_per_epoch)
        self.watch = Watch(self.record, self.supervision.warns and self.team.is_leader)
        tqdm = require("tqdm", "progress").tqdm if progress and self.team.is_leader else None
        self.bar: Any = None if tqdm is None else tqdm(total=settings.max_epochs, unit="epoch")

    def result(self) -> Result:
        """Run to the end and return the result."""
        self.started = time.perf_counter()
        for rule in self.settings.stop:
            rule.reset()
        try:
            reason = self._loop()
            reason = self._without_a_minimum(self.runner.verdict(reason))
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
            self._keep_noted()
        finally:
            self.optimizer.n_steps = self.runner.n_steps
            self.runner.fetch()
            if self.bar is not None:
                self.bar.close()
        if reason == StopReason.INTERRUPTED:
            self.n_epochs = (self.runner.n_steps - self.first_step) // self.settings.steps_per_epoch
        value, history = self._final_value(reason), self.record.history()
        try:
            diagnosis = self.watch.last_look(reason, history)
        except KeyboardInterrupt:  # the run is done, so Ctrl-C skips the diagnosis only
            diagnosis = Diagnosis()
        return Result(
            w=self.w if self.best_w is None else self.best_w,
            value=value,
            converged=reason not in _UNFINISHED and not (reason == StopReason.PRECISION and self.settings.stop),
            stop_reason=str(reason),
            n_epochs=self.n_epochs,
            n_steps=self.runner.n_steps - self.first_step,
            history=history,
            path=None if self.path is None else np.concatenate(self.path),
            best_epoch=None if self.best_w is None else int(history["epoch"][self.best_row]),
            diagnosis=diagnosis,
            duality_gap=self.runner.duality_gap if self.best_w is None else None,
        )

    def _begin(self) -> str | None:
        """Evaluate the start, or go on from the checkpoint. Return the reason to end the run there, if there is one."""
        if self.checkpoints is None or not self.checkpoints.has_one:
            reason = self._evaluate()
            self._keep(reason)
            return reason
        reason = self.checkpoints.resume(self)
        if self.bar is not None:
            self.bar.update(self.n_epochs)
        return reason

    def _loop(self) -> str:
        """Take epochs until there is a reason to end the run.

        What limits the run may be raised later. So a checkpoint is of a place that every longer run comes to as well.
        An evaluation that only the end calls for is no such place.
        """
        reason = self._begin()
        while reason is None:
            if self.phase == Phase.BETWEEN:
                reason = self._limit()
                if reason is not None:
                    return self._kept_last(None, reason)
                self.phase, self.epoch_end = Phase.STEPPING, self.runner.n_steps + self.settings.steps_per_epoch
            stepping = self.phase == Phase.STEPPING
            ended = self._epoch() if stepping else None
            if ended == StopReason.DIVERGED:
                if not self._take_back():
                    return self._kept_last(ended, ended)
                ended = None
            whole = ended is None
            if whole and stepping:
                self.n_epochs, self.phase = self.n_epochs + 1, Phase.STEPPED
            ended = ended or self.runner.finished
            last = ended is not None or self.n_epochs == self.settings.max_epochs
            due = whole and self.n_epochs % self.settings.evaluate_every == 0
            if last and not due:
                self._kept_last(None, "")
            if last or due:
                reason = self._evaluate()
            if self.bar is not None:
                self.bar.update(stepping and whole)
            reason = reason or ended
            if last and not due:
                return reason or StopReason.MAX_EPOCHS
            self.phase = Phase.BETWEEN
            self._keep(reason)
        return reason

    def _limit(self) -> str | None:
        """Return the limit that leaves no room for another epoch, if there is one."""
        if self.n_epochs >= self.settings.max_epochs:
            return StopReason.MAX_EPOCHS
        return StopReason.MAX_SECONDS if self._seconds() >= self.settings.max_seconds else None

    def _keep(self, reason: str | None = None) -> None:
        """Write a checkpoint if it is time to, or if the run has ended. Else note it, in case Ctrl-C comes."""
        if self.checkpoints is None:
            return
        if reason is not None or self.checkpoints.due():
            self.checkpoints.write(self, reason)
        else:
            self.checkpoints.note(self)

    def _keep_noted(self) -> None:
        """Write the checkpoint that was noted last. Ctrl-C once more leaves the one in the file, which stays whole."""
        if self.checkpoints is not None:
            with suppress(KeyboardInterrupt):
                self.checkpoints.write_noted()

    def _kept_last(self, final: str | None, reason: str) -> str:
        """Write the last checkpoint of the run, with the final reason of its end if no limit was it. Return reason."""
        if self.checkpoints is not None:
            self.checkpoints.write_last(self, final)
        return reason

    def _epoch(self) -> str | None:
        """Take the steps of an epoch, or those that are left. Return the reason if it ended early, else None."""
        before = self.runner.n_steps
        while True:
            cancelled = self.supervision.is_cancelled()
            now, slice_steps = self.team.tick((time.perf_counter() - self.started, self.slice_steps), cancelled)
            if now >= self.settings.max_seconds:
                return StopReason.MAX_SECONDS
            n, path = min(_BLOCK_STEPS, self.epoch_end - before), None
            if self.path is not None:
                n = min(n, max(_PATH_ELEMENTS // self.w.size, 1))
                path = np.empty((n, self.w.size), self.w.dtype)
            if not self.team.is_alone:
                n = min(n, slice_steps)
            rates = self.rates(before, n)
            try:
                steps = self._slice(rates, min(_SLICE_SECONDS, self.settings.max_seconds - now), path)
            finally:
                taken = self.runner.n_steps - before
                if taken:
                    self.last_rate = float(rates[taken - 1])
                if path is not None and self.path is not None:
                    self.path.append(path[:taken])
            if steps.diverged:
                return StopReason.DIVERGED
            if steps.epoch_ended:
                return None
            before += taken
            if self.runner.divisible:
                self._keep()

    def _slice(self, rates: NDArray[Any], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Take steps for some seconds. A team takes as many as there are rates, so that all members take the same."""
        if self.team.is_alone:
            return self.runner.run(rates, seconds, path)
        start = time.perf_counter()
        steps = self.runner.run(rates, _NO_LIMIT, path)
        taken = max(steps.taken, 1)
        share = seconds / max(time.perf_counter() - start, 1e-9)
        self.slice_steps = max(1, min(int(share * taken), 2 * taken, _BLOCK_STEPS))
        return steps

    def _seconds(self) -> float:
        """Return the seconds since the start, as all members of a team have them where a limit needs them."""
        seconds = time.perf_counter() - self.started
        return self.team.agree(seconds)[0] if self.settings.max_seconds < math.inf else seconds

    def _evaluate(self) -> str | None:
        """Evaluate the objective and record the result. Return the reason to end the run here, if there is one."""
        start = time.perf_counter()
        loss, gradient_norm = self.runner.evaluate()
        self.evaluation_seconds = time.perf_counter() - start
        if self.auto is not None and (self.rows or math.isfinite(loss)):
            if not self.rows:
                self.auto.start(gradient_norm)
            if not self.auto.accepts(loss, gradient_norm):
                back = self._take_back()
                if back is None:
                    return StopReason.DIVERGED
                loss, gradient_norm = back
        if not math.isfinite(loss):
            if not self.rows:
                look = "look for nan, infinity and numbers whose squares overflow in X, y and w0"
                raise StartError(f"objective must be finite at w0, got {loss}; {look}")
            self.runner.restore()
            return StopReason.DIVERGED
        if math.isnan(gradient_norm) and not self.rows and (told := told_of_absent_rows(self.objective)) is not None:
            raise StartError(f"X must be finite in rows of weight 0 too, got {told}; set such numbers to 0")
        if math.isinf(gradient_norm):
            if not self.rows:
                look = "the squares of columns, targets or weights overflow: choose units that bring them near 1"
                raise StartError(
                    f"objective must have a finite gradient at w0, got one of norm {gradient_norm}; {look}"
                )
            self.runner.restore()
            return StopReason.DIVERGED
        self.evaluated_steps = self.runner.n_steps
        if math.isnan(self.last_rate) and self.settings.max_epochs > 0:
            self.last_rate = float(self.rates(self.runner.n_steps, 1)[0])
        rate = self.last_rate
        seconds = time.perf_counter() - self.started
        row = Row(self.n_epochs, loss, gradient_norm, rate, seconds, self._validation_loss())
        self.rows.append(row)
        self.watch.look()
        if row.validation_loss is not None and (self.best_w is None or row.validation_loss < self.lowest):
            self.best_row, self.best_w, self.lowest = len(self.rows) - 1, self.w.copy(), row.validation_loss
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.6g}", refresh=False)
        return self._ask(row) if self.settings.stop or self.settings.callbacks or self.checkpoints else None

    def _validation_loss(self) -> float | None:
        if self.settings.validation is None:
            return None
        loss = float(self.settings.validation.value(self._given_parameters()))
        if not self.rows and not math.isfinite(loss):
            raise StartError(f"validation must have a finite loss at w0, got {loss}; look for nan in its X")
        self.team.check_same("validation loss", loss)
        return loss

    def _take_back(self) -> tuple[float, float] | None:
        """Undo a step that failed at an automatic learning rate. Return the loss and the gradient norm at the old w.

        Return None if the rate is not automatic, or if the step cannot be undone.
        """
        if self.auto is None or (back := self.auto.take_back(self.runner)) is None:
            return None
        if self.path is not None and len(self.path[-1]):
            self.path[-1][-1] = self.w
        return back

    def _ask(self, row: Row) -> str | None:
        if self.measures_change:
            w = self.w.copy()
            self.change = None if self.previous_w is None else norm_of(w - self.previous_w)
            self.previous_w = w
        steps = self.runner.n_steps - self.first_step
        scaled_norm = self.runner.scaled_gradient_norm()
        progress = Progress(row.epoch, steps, self.w.copy(), *row[1:], self.change, scaled_norm)
        if self.checkpoints is not None:
            self.rules_before = [rule.state() for rule in self.settings.stop]
        fired = [rule.reason for rule in self.settings.stop if rule(progress)]
        self.fired = bool(fired)
        ended = [
            answer is True or answer is np.True_
            for answer in (callback(progress) for callback in self.settings.callbacks)
        ]
        rule, stops = self.team.agree(fired[0] if fired else None, any(ended))
        return rule or (StopReason.CALLBACK if stops else None)

    def _without_a_minimum(self, reason: str) -> str:
        """Return the reason why the run ended. It becomes "separable" if the classes are separable: no minimum exists.

        A run that used up its epochs or seconds keeps its reason, and its record says that the classes are separable.
        """
        in_budget = reason not in (StopReason.MAX_EPOCHS, StopReason.MAX_SECONDS)
        short = len(self.rows) < FEW_ROWS and not isinstance(self.optimizer, QuasiNewton)
        untold = short or not self.settings.diagnose
        if reason == StopReason.SEPARABLE:
            self.record.separation = "absent" if lacks_a_class(self.objective) else "all"
        elif reason in _SAYS_NO_MORE or self.settings.constrained or (not in_budget and untold):
            return reason
        elif may_tell(self.objective):
            self.record.separation = separation(self.objective, self.w, self.rows[-1].loss)
        return StopReason.SEPARABLE if self.record.separation and in_budget else reason

    def _final_value(self, reason: str) -> float:
        if self.best_w is not None:
            return self.rows[self.best_row].loss
        if reason == StopReason.DIVERGED or self.evaluated_steps == self.runner.n_steps:
            return self.rows[-1].loss
        if reason == StopReason.INTERRUPTED:
            seconds, _ = self.team.agree(self.evaluation_seconds)
            if not 0.0 < seconds < 0.5 * _SLICE_SECONDS:
                return math.nan
        return float(self.objective.value_and_gradient(self._given_parameters())[0])

    def _given_parameters(self) -> Any:
        """Return the parameters for a method that a user may have written. It is a copy, as the method may write to it.

        Those that a runner keeps on a device are its own.
        """
        return placed(self.objective, self.w) if self.runner.parameters is self.w else self.runner.parameters
