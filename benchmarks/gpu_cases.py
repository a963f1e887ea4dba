"""The cases of gpu_first.py: gradients, epochs, updates and a whole fit, each checked in float64, then timed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import gpu_model
import gpu_peers
import harness
import steepest as st
from gpu_arrays import Array, Library, adam, logistic, timer
from gpu_tables import in_words
from steepest import _core
from steepest.descent.arguments import seed_of

BYTES = 2e9  # of X in a large pass
SHAPES = [16, 30, 64, 100, 128, 1000, 1500, 10_000]
BATCHES = [32, 256, 1024, 4096, 16_384]
SIZES = [1_000_000, 10_000_000, 100_000_000]
TOLERANCES = {"ours": 5e-6, "peer": 1e-3, "steps": 1e-4, "update": 1e-6}  # float32, relative
RATE, SEED = 1e-3, 0
Row = dict[str, Any]
Case = tuple[str, partial[Row]]


@dataclass
class Bench:
    """What every case needs: the options, the library of the arrays, and the peers by name."""

    options: argparse.Namespace
    arrays: Library
    peers: Mapping[str, gpu_peers.Peer]

    def time(self, calls: Mapping[str, harness.Call]) -> harness.Times:
        """Time every contender in turn."""
        enough = self.options.enough
        timers = {name: timer(self.arrays, call, enough) for name, call in calls.items()}
        return harness.interleave(timers, self.options)

    def with_peers(
        self, ours: Mapping[str, harness.Call], make: Callable[[str, gpu_peers.Peer], harness.Call | None]
    ) -> tuple[dict[str, harness.Call], Row]:
        """Add the calls of the peers to ours; a peer that fails is left out, and the row says why."""
        calls, failed = dict(ours), {}
        for name, peer in self.peers.items():
            try:
                call = make(name, peer)
                if call is not None:
                    call()
                    calls[name] = call
            except Exception as error:  # no failure of a peer is to cost our own time
                failed[name] = f"{type(error).__name__}: {error}"
        return calls, {"left out": failed} if failed else {}

    def scaled(self, n: float, least: int) -> int:
        """Scale a number of rows or parameters."""
        return max(int(n * self.options.scale), least)


def row_of(times: harness.Times, moved: float, predicted: gpu_model.Range | None) -> Row:
    """Make a row of the medians, their ratios to ours, and the prediction."""
    ours = times.median("ours")
    row: Row = {"ours": ours, "GB/s": moved / ours / 1e9, "seconds": times.seconds}
    if predicted is not None:
        row |= {"predicted": in_words(predicted), "of predicted": 2 * ours / sum(predicted)}
    for name in times.seconds:
        if name != "ours":
            row |= {name: times.median(name), f"x {name}": times.ratio(name, "ours")}
    return row


def problem(bench: Bench, n: int, d: int, storage: str = "float32", order: str = "C") -> tuple[Any, Any, Array]:
    """Draw X, 0/1 targets that depend on it, and parameters, the intercept last."""
    arrays = bench.arrays
    X = arrays.normal((n, d) if order == "C" else (d, n), storage, 1)
    X = X if order == "C" else X.T
    w = np.random.default_rng(2).standard_normal(d + 1).astype(np.float32) / np.float32(np.sqrt(d))
    scores = arrays.cast(X[:, 0], "float32") + arrays.normal((n,), "float32", 3)
    return X, arrays.cast(scores > 0, "float32"), w


def gradient(bench: Bench, storage: str, d: int, order: str = "C", n: int = 0) -> Row:
    """Check, then time, value and gradient of the logistic loss; without `n`, of as many rows as make 2 GB."""
    element = 2 if storage == "bfloat16" else 4
    n = bench.scaled(n or BYTES / (d * element), 17)
    X, y, w = problem(bench, n, d, storage, order)
    right = logistic(bench.arrays, X, y, w)
    here = bench.arrays.lend(bench.arrays.put(w))
    objective = st.Logistic(bench.arrays.lend(X), bench.arrays.lend(y))
    value, got = objective.value_and_gradient(here)
    error = harness.check("value", value, right[0], TOLERANCES["ours"])
    error = max(error, harness.check("gradient", bench.arrays.host(got), right[1], TOLERANCES["ours"]))

    def checked(name: str, peer: gpu_peers.Peer) -> harness.Call | None:
        call = peer.gradient(X, y, w)
        if call is not None:
            value, got = call()
            harness.check(f"{name}, value", value, right[0], TOLERANCES["peer"])
            harness.check(f"{name}, gradient", got(), right[1], TOLERANCES["peer"] * (16 if element == 2 else 1))
        return call

    calls, left_out = bench.with_peers({"ours": lambda: objective.value_and_gradient(here)}, checked)
    name = "16 bit" if element == 2 else storage
    predicted = gpu_model.gradient_seconds(n, d, name) if order == "C" else None
    row = row_of(bench.time(calls), gpu_model.pass_bytes(n, d, name), predicted)
    return {"rows": n, "error": error, **left_out, **row}


def run_epochs(objective: Any, batch: int, epochs: int, shuffle: bool) -> Any:
    """Run our epochs of Adam."""
    return st.minimize(
        objective, optimizer=st.Adam(RATE), batch_size=batch, max_epochs=epochs, evaluate_every=epochs,
        shuffle=shuffle, random_state=SEED, diagnose=False,
    )  # fmt: skip


def check_epochs(bench: Bench, batch: int, d: int, shuffle: bool) -> float:
    """Hold two of our epochs against those in float64 on a small problem; return the error."""
    n = 300 + 2 * batch + batch // 2  # the last batch is short
    X, y, _ = problem(bench, n, d)
    orders = [np.asarray(_core.row_order(n, seed_of(SEED), epoch)) if shuffle else np.arange(n) for epoch in range(2)]
    right = adam(bench.arrays, X, y, orders, batch, RATE)
    got = run_epochs(st.Logistic(bench.arrays.lend(X), bench.arrays.lend(y)), batch, 2, shuffle).w
    return harness.check("two epochs", bench.arrays.host(got), right, TOLERANCES["steps"])


def epoch(bench: Bench, batch: int, d: int, shuffle: bool) -> Row:
    """Check, then time, epochs of Adam over a million rows; what a run costs once is not in a step's time."""
    n = bench.scaled(1e6, 64)
    batch = min(batch, n // 2)
    error = check_epochs(bench, batch, d, shuffle)
    X, y, _ = problem(bench, n, d)
    objective, steps = st.Logistic(bench.arrays.lend(X), bench.arrays.lend(y)), -(-n // batch)
    timed = min(steps, 200)
    own: dict[str, harness.Call] = {
        "one": lambda: run_epochs(objective, batch, 1, shuffle),
        "three": lambda: run_epochs(objective, batch, 3, shuffle),
    }
    calls, left_out = bench.with_peers(own, lambda _, peer: peer.steps(X, y, batch, timed, RATE))
    seconds = bench.time(calls).seconds
    ours = [max(b - a, 1e-12) / 2 / steps for a, b in zip(seconds.pop("one"), seconds.pop("three"), strict=True)]
    times = harness.Times({"ours": ours, **{name: [s / timed for s in each] for name, each in seconds.items()}})
    moved = 4.0 * batch * (d + 1)
    return {"rows": n, "error": error, **left_out, **row_of(times, moved, gpu_model.step_seconds(batch, d))}


def update(bench: Bench, n: int) -> Row:
    """Check, then time, a step of Adam whose gradient is given; 28 bytes a parameter, which the L2 may hold."""
    n = bench.scaled(n, 33)
    arrays = bench.arrays
    w, g = (arrays.normal((n,), "float32", seed) for seed in (1, 2))
    right = np.asarray(st.reference.adam(arrays.host(w), arrays.host(g), {}, 1, RATE)[0]) if n <= 1_000_000 else None
    here, slope, optimizer = arrays.lend(w), arrays.lend(g), st.Adam(RATE)
    optimizer.step(here, slope)
    error = 0.0 if right is None else harness.check("a step", arrays.host(here), right, TOLERANCES["update"])
    own: dict[str, harness.Call] = {"ours": lambda: optimizer.step(here, slope)}
    calls, left_out = bench.with_peers(own, lambda _, peer: peer.update(w, g, RATE))
    row = row_of(bench.time(calls), gpu_model.update_bytes("Adam", n), gpu_model.update_seconds("Adam", n))
    return {"rows": n, "error": error, **left_out, **row}


def fit(bench: Bench, d: int) -> Row:
    """Check, then time, a fit by the default optimizer of a million rows until the gradient's norm is 1e-5."""
    n, alpha, norm = bench.scaled(1e6, 300), 1e-3, 1e-5
    X, y, _ = problem(bench, n, d)
    objective = st.Logistic(bench.arrays.lend(X), bench.arrays.lend(y), alpha=alpha)

    def run() -> Any:
        return st.minimize(objective, stop=st.stop.GradientNorm(norm), max_epochs=1000, random_state=SEED)

    found = run()
    w = bench.arrays.host(found.w)
    slope = logistic(bench.arrays, X, y, w)[1] + alpha * np.append(w[:-1], 0.0)
    error = float(np.linalg.norm(slope))
    if not error <= 2 * norm:
        raise harness.WrongAnswer(f"gradient: norm {error:.1e} after {found.stop_reason}, allowed {2 * norm:.0e}")
    calls, left_out = bench.with_peers({"ours": run}, lambda _, peer: peer.fit(X, y, alpha, norm))
    row = row_of(bench.time(calls), 4.0 * n * d, None)
    return {"rows": n, "epochs": found.n_epochs, "error": error, **left_out, **row}


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """List the selected cases, the most telling first: a run that is cut short has those."""
    every: list[Case] = []
    for d in (100, 1000, 16, 10_000):
        every.append((f"gradient/float32/{d}", partial(gradient, storage="float32", d=d)))
    every += [(f"epoch/{batch}", partial(epoch, batch=batch, d=100, shuffle=True)) for batch in BATCHES]
    every += [(f"update/{n}", partial(update, n=n)) for n in SIZES]
    every.append(("fit/100", partial(fit, d=100)))
    every += [(f"gradient/bfloat16/{d}", partial(gradient, storage="bfloat16", d=d)) for d in SHAPES]
    every += [(f"gradient/F/{d}", partial(gradient, storage="float32", d=d, order="F")) for d in (100, 1000)]
    every += [
        (f"gradient/small/{n}", partial(gradient, storage="float32", d=100, n=n)) for n in (1000, 10_000, 100_000)
    ]
    for d in (30, 64, 128, 1500):
        every.append((f"gradient/float32/{d}", partial(gradient, storage="float32", d=d)))
    every += [(f"epoch/in order/{batch}", partial(epoch, batch=batch, d=100, shuffle=False)) for batch in BATCHES]
    return (case for case in every if harness.selected(options, case[0]))
