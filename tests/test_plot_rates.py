"""Pictures of learning rates and of Taylor's models, by the structure of their Axes."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402

import steepest as st  # noqa: E402
from steepest.plot import contour, learning_rates, loss_curve, taylor  # noqa: E402


def axes() -> Any:
    return Figure(figsize=(7, 4.5), layout="constrained").subplots()


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def found() -> SimpleNamespace:
    rates = np.geomspace(1e-5, 10, 100)
    smooth = 2.3 - 1.8 / (1 + 0.02 / rates) + (rates / 0.8) ** 3
    noise = np.random.default_rng(0).normal(0, 0.1, 100)
    return SimpleNamespace(learning_rates=rates, losses=smooth + noise, smoothed_losses=smooth, suggestion=0.05)


def run(losses: Any, **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(history={"epoch": np.arange(len(losses)), "loss": np.asarray(losses)}, **fields)


def test_the_finder() -> None:
    curve = found()
    ax = learning_rates(curve, ax=axes())
    raw, smooth, mark, suggestion = ax.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), curve.losses)
    np.testing.assert_array_equal(smooth.get_ydata(), curve.smoothed_losses)
    assert raw.get_alpha() < 0.5 < smooth.get_linewidth()
    assert mark.get_xdata() == [0.05, 0.05]
    assert suggestion.get_ydata()[0] == pytest.approx(
        np.interp(0.05, curve.learning_rates, smooth.get_ydata()), rel=0.01
    )
    assert (ax.get_xscale(), legend(ax)) == ("log", ["mini-batches", "smoothed", "suggestion: 0.05"])
    assert ax.get_ylim()[1] < 5 < curve.losses.max()
    ax.figure.canvas.draw()


def test_a_finder_without_a_suggestion() -> None:
    curve = found()
    curve.suggestion = float("nan")
    assert legend(learning_rates(curve, ax=axes())) == ["mini-batches", "smoothed"]


@pytest.mark.parametrize("last", [1e30, np.inf, np.nan])
def test_a_showdown(last: float) -> None:
    runs = {1.0: run([8.0, 80.0, 800.0, last]), 0.1: run([8.0, 1.0, 0.1, 0.05]), 0.01: run([8.0, 7.0, 6.0, 5.0])}
    ax = learning_rates(runs, ax=axes())
    assert legend(ax) == ["0.01", "0.1", "1 (diverges)"]
    assert (ax.get_yscale(), ax.get_xlabel()) == ("log", "step")
    assert ax.get_ylim()[1] < 1000
    assert len({tuple(line.get_color()) for line in ax.get_lines()}) == 3
    ax.figure.canvas.draw()


def test_a_showdown_counts_steps() -> None:
    ax = learning_rates({0.1: run([3.0, 2.0, 1.5], n_steps=20, n_epochs=2)}, ax=axes())
    assert ax.get_lines()[0].get_xdata().tolist() == [0, 10, 20]
    assert ax.get_yscale() == "linear"


def test_a_run_that_diverged_at_once_shows_its_start() -> None:
    ax = learning_rates({9.0: run([3.0], stop_reason="diverged"), 0.1: run([3.0, 2.0])}, ax=axes())
    assert ax.get_lines()[1].get_marker() == "X"
    assert legend(ax) == ["0.1", "9 (diverges)"]


def test_a_grid_search_is_several_runs() -> None:
    search = SimpleNamespace(learning_rates=(0.01, 0.1), results=(run([3.0, 2.5]), run([3.0, 2.0])))
    assert legend(learning_rates(search, ax=axes())) == ["0.01", "0.1"]
    ax = loss_curve(search, ax=axes())
    assert legend(ax) == ["0.01", "0.1"]
    assert ax.get_legend().get_title().get_text() == "learning rate"


def test_the_epochs_on_a_log_axis() -> None:
    ax = loss_curve(run(np.geomspace(100, 1, 50)), ax=axes(), log_x=True)
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "log")
    assert ax.get_xlim()[0] == 0
    ax.figure.canvas.draw()


class Model:
    """What st.taylor returns, of a function with a known Hessian."""

    def __init__(self, function: st.Function, point: Any, hessian: Any) -> None:
        self.point, self.hessian = np.asarray(point, dtype=float), np.asarray(hessian, dtype=float)
        self.value, self.gradient = function.value_and_gradient(self.point)

    def __call__(self, u: Any) -> Any:
        step = np.asarray(u) - self.point
        return self.value + step @ self.gradient + ((step @ self.hessian) * step).sum(axis=-1) / 2


SINE = st.Function(lambda w: (float(np.sin(w[0])), np.cos(w)), 1)
HESSIAN = np.diag([2.0, 6.0])
BOWL = st.Function(lambda w: (float(w @ HESSIAN @ w) / 2, HESSIAN @ w), 2)


def sine_at(point: float) -> Model:
    return Model(SINE, [point], [[-np.sin(point)]])


def marks(ax: Any, marker: str) -> Any:
    return np.array([np.ravel(line.get_data()) for line in ax.get_lines() if line.get_marker() == marker][:-1])


def test_a_sine_and_its_models() -> None:
    ax = taylor(SINE, {"at 1": sine_at(1.0), "at 5": sine_at(5.0)}, ax=axes())
    assert legend(ax) == ["function", "at 1", "at 5", "point", "minimum of the model"]
    function, first = ax.get_lines()[:2]
    np.testing.assert_allclose(function.get_ydata(), np.sin(function.get_xdata()))
    t = first.get_xdata()
    np.testing.assert_allclose(first.get_ydata(), np.sin(1) + np.cos(1) * (t - 1) - np.sin(1) / 2 * (t - 1) ** 2)
    np.testing.assert_allclose(marks(ax, "o"), [[1, np.sin(1)], [5, np.sin(5)]])
    assert marks(ax, "D")[:, 0] == pytest.approx([5 + np.cos(5) / np.sin(5)])
    assert np.abs(ax.get_ylim()).max() < 3
    ax.figure.canvas.draw()


def test_level_curves_of_a_model_and_its_newton_step() -> None:
    ax = taylor(BOWL, Model(BOWL, [1.0, 2.0], HESSIAN), ax=axes(), resolution=31)
    assert legend(ax) == ["model", "point", "minimum of the model"]
    np.testing.assert_allclose(marks(ax, "D"), [[0, 0]], atol=1e-12)
    assert len(ax.collections) == 3
    ax.figure.canvas.draw()


def test_what_taylor_and_curvature_return_is_drawn() -> None:
    X = np.random.default_rng(0).standard_normal((50, 2))
    objective = st.Logistic(X, (X[:, 0] > 0).astype(float), intercept=False, alpha=0.1)
    model = st.taylor(objective, np.array([1.0, -1.0]))
    ax = taylor(objective, model, ax=axes(), resolution=21)
    step = np.linalg.solve(model.hessian, model.gradient)
    np.testing.assert_allclose(marks(ax, "D"), [model.point - step])
    spectrum = st.curvature(objective, np.zeros(2))
    ax = contour(model, minimum=model.point - step, eigenvectors=spectrum, ax=axes(), resolution=21)
    shown = [text.get_text() for text in ax.texts if text.get_text()]
    assert shown == [rf"$\lambda$ = {value:.3g}" for value in spectrum.eigenvalues]


@pytest.mark.parametrize(
    ("direction", "label", "minimum"),
    [(None, "distance along Newton's step", 3.0), ([1.0, 0.0, 0.0], "distance along the direction", -1.0)],
)
def test_more_parameters_along_a_line(direction: Any, label: str, minimum: float) -> None:
    bowl = st.Function(lambda w: (float(w @ w), 2 * w), 3)
    ax = taylor(bowl, Model(bowl, [1.0, 2.0, -2.0], 2 * np.eye(3)), direction=direction, ax=axes())
    assert ax.get_xlabel() == label
    assert marks(ax, "D")[0, 0] == pytest.approx(minimum)
    function, model = (line.get_ydata() for line in ax.get_lines()[:2])
    np.testing.assert_allclose(function, model)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: learning_rates(3), TypeError, "curve must be a LearningRateCurve, a GridSearch or a mapping"),
        (lambda: learning_rates({}), ValueError, "curve must hold at least one run, got none"),
        (lambda: learning_rates({"a": run([1.0])}), TypeError, r"curve must map learning rates.* got 'a' \(str\)"),
        (lambda: learning_rates({0.1: 3}), TypeError, "curve must be something with a history, got int"),
        (lambda: taylor(abs, []), TypeError, "objective must be a LeastSquares, .*Function"),
        (lambda: taylor(SINE, []), ValueError, "models must hold at least one model, got none"),
        (lambda: taylor(SINE, abs), TypeError, "models must be what st.taylor returns"),
        (lambda: taylor(BOWL, sine_at(1.0)), ValueError, r"models' point must be an array of shape \(2,\)"),
        (lambda: taylor(SINE, sine_at(1.0), limits=(2, 1)), ValueError, r"limits must be \(left, right\), ascending"),
        (
            lambda: taylor(SINE, sine_at(1.0), direction=[1.0]),
            ValueError,
            "direction must be None for an objective of 1",
        ),
        (
            lambda: taylor(BOWL, Model(BOWL, [1, 1], HESSIAN), direction=[0.0, 0.0]),
            ValueError,
            "direction must not be 0",
        ),
        (lambda: loss_curve(run([1.0]), log_x=1), TypeError, "log_x must be True or False, got 1"),
    ],
)
def test_what_cannot_be_drawn(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_package_imports_no_matplotlib() -> None:
    code = "import sys, steepest as st; st.plot.contour; print('matplotlib' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"
