"""How bench_fit.py times a fit to a target: a ladder of efforts, the search for the first that is enough, rounds."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

import harness
import processes
from fit_contenders import OURS, Contender
from fit_reference import Array

TARGETS = (1e-3, 1e-6)
SHORT = 3.0  # seconds up to which a fit is timed again in rounds
SPINNING = 0.25  # seconds until the threads of a call have stopped spinning: some OpenMP has them spin for 0.2 s
BRIEF = 0.1  # seconds up to which a fit in rounds follows another that does not count: its data are then in the cache
STUCK = 4  # rungs in a row that gain less than 1%, after which a contender has reached what it can
PATIENCE = 20.0  # times the fastest peer's time to the last target, after which a ladder is left
COMPILING = 4  # effort up to which a long fit is made again
LEAST_SECONDS = 5.0  # that a ladder may always take for one fit
GRACE = 60.0  # seconds beyond twice the limit after which a peer's fit is cut short: time to compile


@dataclass(frozen=True)
class Fit:
    """One timed fit: its effort, seconds, and suboptimality by the float64 reference."""

    effort: int
    seconds: float
    suboptimality: float


@dataclass
class Climb:
    """All fits of a contender by effort, in the order of effort, and why it was left, if the last target was missed."""

    contender: Contender
    fits: list[Fit] = field(default_factory=list)
    reason: str = ""
    host: processes.Here | None = None  # where its fits are made
    failed: bool = False  # its process did

    def first(self, target: float) -> Fit | None:
        """Return the fit of the lowest effort that reached a target."""
        return next((fit for fit in self.fits if fit.suboptimality <= target), None)

    @property
    def best(self) -> float:
        """The lowest suboptimality seen."""
        return min((fit.suboptimality for fit in self.fits), default=math.inf)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep warnings and what native code prints off the table."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


@contextlib.contextmanager
def all_threads() -> Iterator[None]:
    """Give OpenMP all cores, whatever the load, and NumPy its own handling of errors.

    A peer may leave each of these changed behind it: after snapml OpenMP has one thread, and there are "dynamic" ones.
    """
    threadpoolctl = harness.peer("threadpoolctl")
    if threadpoolctl is None:
        yield
        return
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "openmp":
            ctypes.CDLL(pool["filepath"]).omp_set_dynamic(0)
    with threadpoolctl.threadpool_limits(harness.cores(), "openmp"), np.errstate(all="ignore"):
        yield


def timed(contender: Contender, effort: int) -> tuple[float, Array]:
    """Fit once; return the seconds and the parameters."""
    with silent(), all_threads():
        start = time.perf_counter()
        w = contender.fit(effort)
        return time.perf_counter() - start, w


class Fitter:
    """A contender's fits, timed where this object lives."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender

    def timed(self, effort: int) -> tuple[float, Array]:
        """Fit once; return the seconds and the parameters."""
        return timed(self._contender, effort)


def climb(
    contender: Contender, suboptimality: Callable[[Array], float], limit: float, host: processes.Here | None = None
) -> Climb:
    """Double the effort until the last target is reached, then halve the steps to the first effort of each target.

    The first fits are made twice where they take long, for some peers compile as they go. A ladder is left when its
    next fit would take longer than `limit` seconds, when nothing is gained any more, or when a peer's process fails.

    The `host` is asked for the fits; without one they are made in this process.
    """
    found = Climb(contender, host=host or processes.Here(Fitter, contender))
    try:
        _climb(found, suboptimality, limit)
    except processes.Failed as error:
        if contender.name in OURS:
            raise
        found.reason, found.failed = str(error)[:60], True
    return found


def _climb(found: Climb, suboptimality: Callable[[Array], float], limit: float) -> None:
    contender, host = found.contender, found.host
    assert host is not None
    cut = None if contender.name in OURS else GRACE + 2 * limit

    def fit(effort: int) -> Fit:
        seconds, w = host.ask("timed", effort, limit=cut)
        if 2 * seconds > limit and effort <= COMPILING:
            seconds = min(seconds, host.ask("timed", effort, limit=cut)[0])
        made = Fit(effort, seconds, suboptimality(w))
        found.fits = sorted([*found.fits, made], key=lambda fit: fit.effort)
        return made

    host.ask("timed", 1, limit=cut)
    last = fit(1)
    while last.suboptimality > TARGETS[-1] and not found.reason:
        if 2 * last.effort > contender.most:
            found.reason = "no closer" if contender.most > 1 else "direct"
        elif 2 * last.seconds > limit:
            found.reason = f"over {limit:.3g} s"
        elif is_stuck(found.fits):
            found.reason = "no closer"
        else:
            last = fit(2 * last.effort)
    for target in TARGETS:
        narrow(found, target, fit)


def is_stuck(fits: Sequence[Fit]) -> bool:
    """Tell whether the last rungs brought next to nothing."""
    if len(fits) <= STUCK or fits[-1].effort < 64:
        return False
    before = min(fit.suboptimality for fit in fits[:-STUCK])
    return not min(fit.suboptimality for fit in fits[-STUCK:]) < 0.99 * before


def narrow(found: Climb, target: float, fit: Callable[[int], Fit]) -> None:
    """Halve the gap between the last effort that misses a target and the first that reaches it, to 1/8 of it."""
    while (reached := found.first(target)) is not None:
        below = max((made.effort for made in found.fits if made.effort < reached.effort), default=0)
        if reached.effort - below <= max(1, below // 8):
            return
        fit((reached.effort + below) // 2)


def rounds(climbs: Sequence[Climb], repeats: int) -> dict[tuple[str, float], list[float]]:
    """Time the chosen fit of each contender and target again, in turn, where it is short; the ladder's time otherwise.

    Returns
    -------
    dict
        (contender, target) to seconds, one a round.
    """
    chosen = {(climb.contender.name, target): (climb, climb.first(target)) for climb in climbs for target in TARGETS}
    seconds = {key: [fit.seconds] for key, (_, fit) in chosen.items() if fit is not None}
    short = [key for key in seconds if seconds[key][0] <= SHORT and not chosen[key][0].failed]
    for repeat in range(repeats):
        for key in short[:: -1 if repeat % 2 else 1]:
            host, fit = chosen[key][0].host, chosen[key][1]
            assert fit is not None
            assert host is not None
            if host.lingers:
                time.sleep(SPINNING)
            if fit.seconds <= BRIEF:
                host.ask("timed", fit.effort)
            again, _ = host.ask("timed", fit.effort)
            seconds[key] = [again] if repeat == 0 else [*seconds[key], again]
    return seconds


def is_short(climb: Climb) -> bool:
    """Tell whether `rounds` times a contender again."""
    firsts = [climb.first(target) for target in TARGETS]
    return any(fit is not None and fit.seconds <= SHORT for fit in firsts)


def check_lowest(label: str, climbs: Sequence[Climb], excess: float) -> None:
    """Refuse an optimum that a contender is below of by more than rounding."""
    for found in climbs:
        if found.best < -1e-9 - excess:
            raise harness.WrongAnswer(f"{label}: {found.contender.name} is below the optimum by {-found.best:.1e}")
