"""Loss curves, by the structure of their Axes."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from steepest.extras import MissingExtraError  # noqa: E402
from steepest.plot import loss_curve  # noqa: E402


def run(losses: Any, validation: Any = None, best_epoch: int | None = None) -> SimpleNamespace:
    history = {"epoch": np.arange(len(losses)), "loss": np.asarray(losses), "seconds": np.arange(len(losses)) / 10}
    if validation is not None:
        history["validation_loss"] = np.asarray(validation)
    return SimpleNamespace(history=history, best_epoch=best_epoch)


def axes() -> Any:
    return Figure().subplots()


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def draw(*arguments: Any, **options: Any) -> Any:
    return loss_curve(*arguments, **options)


def test_one_run_is_one_line_without_a_legend() -> None:
    ax = draw(run([3.0, 2.0, 1.5]), ax=axes())
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [0, 1, 2]
    assert line.get_ydata().tolist() == [3, 2, 1.5]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "linear")
    assert legend(ax) == []


def test_a_new_figure_where_no_axes_are_given() -> None:
    from matplotlib import pyplot

    ax = draw(run([1.0, 0.5]))
    assert pyplot.fignum_exists(ax.figure.number)
    pyplot.close(ax.figure)


def test_validation_and_its_best_epoch() -> None:
    ax = draw(run([3.0, 2.0, 1.0], [3.5, 2.5, 2.75], best_epoch=1), ax=axes())
    training, validation, best = ax.get_lines()
    assert validation.get_ydata().tolist() == [3.5, 2.5, 2.75]
    assert np.ravel(best.get_data()).tolist() == [1, 2.5]
    assert training.get_color() != validation.get_color() == best.get_color()
    assert legend(ax) == ["training", "validation", "best: 2.5 at epoch 1"]


def test_several_runs_by_label() -> None:
    runs = {"Adam": run([3.0, 1.0], [3.0, 2.0], best_epoch=1), "Momentum": run([3.0, 2.0])}
    ax = draw(runs, ax=axes())
    assert legend(ax) == ["Adam", "Momentum", "validation, best epoch"]
    adam, adam_validation, best, momentum, _ = ax.get_lines()
    assert adam.get_color() == adam_validation.get_color() == best.get_color() != momentum.get_color()


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([100.0, 1.0], "log"), ([3.0, 1.0], "linear"), ([100.0, -1.0], "linear"), ([100.0, 0.0], "linear")],
)
def test_the_axis_is_logarithmic_where_that_helps(losses: list[float], scale: str) -> None:
    assert draw(run(losses), ax=axes()).get_yscale() == scale
    assert draw(run(losses), ax=axes(), log=False).get_yscale() == "linear"


def test_log_can_be_asked_for() -> None:
    assert draw(run([2.0, 1.0]), ax=axes(), log=True).get_yscale() == "log"


def test_the_time_axis() -> None:
    ax = draw(run([2.0, 1.0]), ax=axes(), x="seconds")
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_lines()[0].get_xdata().tolist() == [0, 0.1]


def test_a_diverged_run_draws_its_finite_part() -> None:
    ax = draw(run([1.0, 9.0, np.inf, np.nan], [1.0, np.inf, np.nan, np.nan], best_epoch=1), ax=axes())
    assert np.isnan(ax.get_lines()[0].get_ydata()).tolist() == [False, False, True, True]
    assert len(ax.get_lines()) == 2
    ax.figure.canvas.draw()


def test_a_run_without_an_epoch_shows_its_start() -> None:
    assert draw(run([1.0]), ax=axes()).get_lines()[0].get_marker() == "o"


def test_anything_with_a_history_will_do() -> None:
    ax = draw(SimpleNamespace(history={"epoch": [0, 1], "loss": [2.0, 1.0]}), ax=axes())
    assert ax.get_lines()[0].get_ydata().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"result": {}}, ValueError, "result must hold at least one run, got none"),
        ({"result": 3}, TypeError, "result must be something with a history, got int"),
        ({"result": run([1.0]), "x": "steps"}, ValueError, "x must be 'epoch' or 'seconds', got 'steps'"),
        (
            {"result": SimpleNamespace(history={"epoch": [0]})},
            ValueError,
            r"result must have 'loss' in its history, got \['epoch'\]",
        ),
    ],
)
def test_what_cannot_be_drawn(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        loss_curve(**arguments)


def test_a_missing_matplotlib_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"^matplotlib is not installed: pip install matplotlib$"):
        draw(run([1.0]))


def test_an_image_is_drawn(tmp_path: Any) -> None:
    figure = Figure()
    draw(run(np.geomspace(100, 1, 30), np.geomspace(120, 2, 30), best_epoch=29), ax=figure.subplots())
    figure.savefig(tmp_path / "loss.png")
    pixels = matplotlib.image.imread(tmp_path / "loss.png")
    assert pixels.std() > 0.01
