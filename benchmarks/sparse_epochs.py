"""Stochastic epochs over sparse rows, ours and SGDClassifier's."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from bench_epoch import epoch_timer, seconds_of
from fit_reference import Problem
from sparse_problems import ROWS, labels, penalised, power_law, scaled
from steepest import _core
from steepest.descent.arguments import seed_of

Array = NDArray[Any]

WIDTHS = (10_000, 200_000, 1_000_000)
BATCHES = (1, 64)
RULES: dict[str, tuple[Any, Any, float]] = {
    "GradientDescent": (st.GradientDescent, st.reference.gradient_descent, 0.05),
    "AdaGrad": (st.AdaGrad, st.reference.adagrad, 0.05),
}
SEED, EPOCHS_CHECKED, TOLERANCE = 0, 2, 1e-4
INTERCEPT_DECAY = 0.01  # of SGDClassifier on sparse rows: its steps of the intercept are that much shorter
SAMPLE = 500  # rows that tell what a step costs

COLUMNS: dict[str, Callable[[Any], str]] = {
    "case": "{:>34}".format,
    "non-zeros": "{:,}".format,
    "epoch": harness.seconds,
    "a row": harness.seconds,
    "SGDClassifier": harness.seconds,
    "x SGDClassifier": "{:.2f}".format,
    "rows timed": str,
    "error": "{:.0e}".format,
}


def reference(problem: Problem, orders: Sequence[Array], batch: int, rule: str, intercept_rate: float = 1.0) -> Array:
    """Run the epochs whose row orders are given on dense rows, in float64, written with st.reference alone."""
    X = problem.X.toarray().astype(np.float64)
    _, step, rate = RULES[rule]
    w, state, t = np.zeros(problem.d + 1), dict[str, Array](), 0
    for order in orders:
        for start in range(0, problem.n, batch):
            rows = order[start : start + batch]
            t += 1
            gradient = st.reference.logistic(X[rows], problem.y[rows], w, alpha=problem.alpha)[1]
            gradient[-1] *= intercept_rate
            w, state = step(w, gradient, state, t, rate)
    return w


def ours(objective: Any, batch: int, rule: str, epochs: int) -> Any:
    """Run our loop, which evaluates the whole objective once, at the end."""
    make, _, rate = RULES[rule]
    return st.minimize(
        objective, optimizer=make(rate), batch_size=batch, max_epochs=epochs, evaluate_every=epochs,
        random_state=SEED, diagnose=False,
    )  # fmt: skip


def scikit_learn(linear: Any, problem: Problem, epochs: int, shuffle: bool = True) -> Array:
    """Run SGDClassifier at the same constant rate with the same penalty; returns w, the intercept last."""
    model = linear.SGDClassifier(
        loss="log_loss", alpha=problem.alpha, learning_rate="constant", eta0=RULES["GradientDescent"][2],
        max_iter=epochs, tol=None, shuffle=shuffle, random_state=SEED,
    ).fit(problem.X, problem.y)  # fmt: skip
    return np.append(model.coef_[0], model.intercept_)


def check(label: str, batch: int, rule: str, linear: Any) -> float:
    """Hold both against the reference over the same rows, on a small problem; return our relative error."""
    n = 300 + 2 * batch + batch // 2  # the last batch is short
    X = power_law(n, 50)
    problem = Problem(label, X, labels(X), "logistic", 1e-2)
    orders = [np.asarray(_core.row_order(n, seed_of(SEED), epoch)) for epoch in range(EPOCHS_CHECKED)]
    right = reference(problem, orders, batch, rule)
    got = ours(st.Logistic(X, problem.y, alpha=problem.alpha), batch, rule, EPOCHS_CHECKED).w
    error = harness.check(f"{label}, ours", got, right, TOLERANCE)
    if is_compared(batch, rule, linear):
        right = reference(problem, [np.arange(n)], batch, rule, INTERCEPT_DECAY)
        harness.check(f"{label}, SGDClassifier", scikit_learn(linear, problem, 1, False), right, TOLERANCE)
    return error


def is_compared(batch: int, rule: str, linear: Any) -> bool:
    """Tell whether scikit-learn has this rule."""
    return linear is not None and batch == 1 and rule == "GradientDescent"


def part_of(problem: Problem, batch: int, rule: str, seconds: float) -> Problem:
    """Return as many rows as an epoch of ours takes some seconds for: all, where steps cost a row's entries."""

    def first(n: int) -> Problem:
        return Problem(problem.label, problem.X[:n], problem.y[:n], "logistic", problem.alpha)

    def epoch(n: int) -> float:
        found = first(n)
        objective = st.Logistic(found.X, found.y, alpha=found.alpha)
        return seconds_of(lambda: ours(objective, batch, rule, 1))

    few, many = min(SAMPLE, problem.n), min(4 * SAMPLE, problem.n)
    epoch(few)
    row = max(epoch(many) - epoch(few), 1e-9) / max(many - few, 1)
    n = min(problem.n, max(many, math.floor(seconds / row)))
    return problem if 2 * n > problem.n else first(n)


def measure(problem: Problem, batch: int, rule: str, options: argparse.Namespace) -> dict[str, Any]:
    """Check one rule and batch size on a small problem, then time its epochs."""
    linear = harness.peer("sklearn.linear_model")
    error = check(problem.label, batch, rule, linear)
    part = part_of(problem, batch, rule, 0.05 if options.quick else 2.0)
    objective = st.Logistic(part.X, part.y, alpha=part.alpha)
    timers = {"ours": epoch_timer(lambda epochs: ours(objective, batch, rule, epochs), options)}
    if is_compared(batch, rule, linear):
        timers["sklearn"] = epoch_timer(lambda epochs: scikit_learn(linear, part, epochs), options)
    times = harness.interleave(timers, options)
    whole = problem.n / part.n
    peer = "sklearn" in timers
    return {
        "non-zeros": int(problem.X.nnz),
        "rows": problem.n,
        "columns": problem.d,
        "epoch": times.median("ours") * whole,
        "a row": times.median("ours") / part.n,
        "SGDClassifier": times.median("sklearn") * whole if peer else None,
        "x SGDClassifier": times.ratio("sklearn", "ours") if peer else None,
        "rows timed": f"{part.n} of {problem.n}",
        "error": error,
        "seconds": times.seconds,
    }


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every selected case."""
    for d in WIDTHS:
        found = [(rule, batch, f"epoch/{d}/{rule}/{batch}") for rule in RULES for batch in BATCHES]
        chosen = [case for case in found if harness.selected(options, case[2])]
        if not chosen:
            continue
        X = power_law(scaled(ROWS, options.scale), scaled(d, options.scale))
        y = labels(X)
        for rule, batch, label in chosen:
            yield {"case": label, **measure(penalised(label, X, y, "logistic"), batch, rule, options)}
