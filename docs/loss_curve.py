"""Draws loss-curve.png, a run like that of `steepest demo`, and what other splits give: `python docs/loss_curve.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import steepest as st
from steepest.cli.encoding import TableEncoder
from steepest.cli.flights import load_flights
from steepest.cli.splitting import split_rows

SPLITS = range(8)


def load() -> tuple[Any, Any]:
    """Return the flights as numbers, and which of them were late."""
    frame = load_flights().frame
    X = TableEncoder().fit_transform(frame.drop(columns="late"))
    return np.asarray(X, dtype=float), frame["late"].to_numpy(dtype=float)


def parts(X: Any, y: Any, random_state: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the training and the held-out part of a split, both scaled by the training rows."""
    training, held_out = split_rows(np.arange(len(y)), 0.2, np.random.default_rng(random_state), None)
    mean, deviation = X[training].mean(axis=0), X[training].std(axis=0)
    return ((X[training] - mean) / deviation, y[training]), ((X[held_out] - mean) / deviation, y[held_out])


def gap(X: Any, y: Any, random_state: int) -> float:
    """Return how far the validation loss is above the training loss at the optimum of a split."""
    training, held_out = parts(X, y, random_state)
    run = st.minimize(st.Logistic(*training))
    return float(st.Logistic(*held_out).value(run.w) - run.value)


def figure_of(run: Any, gaps: list[float]) -> Any:
    """Draw the losses of a run, and the gaps of several splits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    curve, dots = figure.subplots(2, height_ratios=[3, 1])
    st.plot.loss_curve(run, ax=curve)
    curve.legend(frameon=False, loc="upper center")
    curve.set(ylim=(0.22, 0.3), title="Which flights are late?\nLogistic loss, 327,346 flights, Adam")
    curve.axvline(run.best_epoch, color="0.6", lw=1, ls=":")
    curve.annotate("best epoch", (run.best_epoch, 0.29), (-6, 0), textcoords="offset points", ha="right", color="0.3")
    dots.axvline(0, color="0.5", lw=1)
    dots.plot(gaps, np.zeros(len(gaps)), "o", ms=9, alpha=0.7, color="#D55E00", mec="white")
    dots.annotate("this split", (gaps[0], 0), (0, 12), textcoords="offset points", ha="center")
    dots.set(yticks=[], ylim=(-1, 1.6), xlabel="validation loss above training loss")
    below = sum(value < 0 for value in gaps)
    dots.set_title(f"Validation lies below in {below}\nof {len(gaps)} splits: by chance.", fontsize=11)
    for spine in ("top", "right", "left"):
        dots.spines[spine].set_visible(False)
    return figure


if __name__ == "__main__":
    X, y = load()
    training, held_out = parts(X, y, 0)
    rate = st.schedules.CosineDecay(0.05, steps=40 * -(-len(training[1]) // 4096))
    run = st.minimize(
        st.Logistic(*training),
        optimizer=st.Adam(rate),
        batch_size=4096,
        max_epochs=40,
        validation=held_out,
        stop=st.stop.NoImprovement(patience=5),
        random_state=0,
    )
    gaps = [gap(X, y, random_state) for random_state in SPLITS]
    figure_of(run, gaps).savefig(Path(__file__).parent / "loss-curve.png", dpi=160)
