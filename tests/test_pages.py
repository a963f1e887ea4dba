"""What notebooks show: a result and an estimator as HTML, with a loss curve as SVG; and `Result.plot`."""

from __future__ import annotations

import pickle
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import steepest as st
from steepest.descent.picture import curve_svg

X = np.random.default_rng(0).standard_normal((60, 3))
Y = X @ np.array([1.0, -2.0, 0.5])
SVG = "{http://www.w3.org/2000/svg}"


def page(thing):
    """The HTML, which must be well-formed, as a tree."""
    return ElementTree.fromstring(thing._repr_html_())


def curves(tree):
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in tree.iter(f"{SVG}polyline")
    ]


def run(**options):
    return st.minimize(st.LeastSquares(X, Y), optimizer=st.GradientDescent(0.1), **{"max_epochs": 30, **options})


def test_a_result_shows_its_outcome_curve_and_parameters():
    result = run()
    tree = page(result)
    text = "".join(tree.itertext())
    for told in (
        "not converged: the run used all its epochs (30)",
        f"{result.value:.6g}",
        "30, 30",
        f"{result.w[0]:.4f}",
    ):
        assert told in text
    (line,) = curves(tree)
    assert len(line) == 31
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted(y for _, y in line)  # a falling loss goes down the picture


def test_heights_are_logarithms_where_losses_span_decades():
    history = {"epoch": np.arange(3), "loss": np.array([1e4, 1e2, 1.0])}
    ((_, top), (_, middle), (_, bottom)) = curves(ElementTree.fromstring(curve_svg(history)))[0]
    assert middle == pytest.approx((top + bottom) / 2, abs=0.1)
    history["loss"] = np.array([3.0, 2.0, 1.0])
    ((_, top), (_, middle), (_, bottom)) = curves(ElementTree.fromstring(curve_svg(history)))[0]
    assert middle == pytest.approx((top + bottom) / 2, abs=0.1)


def test_validation_is_a_second_line():
    tree = page(run(validation=(X, Y + 1)))
    assert len(curves(tree)) == 2
    assert "validation" in "".join(tree.itertext())


@pytest.mark.parametrize("losses", [[1.0], [np.nan, np.inf, 1.0], []])
def test_too_few_losses_make_no_curve(losses):
    assert curve_svg({"epoch": np.arange(len(losses)), "loss": np.array(losses)}) == ""


def test_constant_negative_and_infinite_losses():
    for losses in ([2.0, 2.0], [-1.0, -5.0, np.inf], [0.0, 1.0]):
        (line,) = curves(ElementTree.fromstring(curve_svg({"epoch": np.arange(len(losses)), "loss": np.array(losses)})))
        assert np.isfinite(line).all()


def test_long_histories_are_thinned():
    history = {"epoch": np.arange(100_000), "loss": np.linspace(2, 1, 100_000)}
    assert len(curve_svg(history)) < 12_000


def test_text_is_escaped():
    class Stop(st.stop.StopRule):
        reason = "<script>"

        def __call__(self, progress):
            return True

    assert "<script>" not in run(stop=Stop())._repr_html_()


def test_long_parameters_are_shortened():
    objective = st.LeastSquares(np.eye(2000), np.ones(2000))
    html = st.minimize(objective, optimizer=st.GradientDescent(0.1), max_epochs=2)._repr_html_()
    assert "(2001)" in html
    assert len(html) < 5000


def test_no_matplotlib_is_imported():
    code = (
        "import sys, numpy as np, steepest as st\n"
        "st.minimize(st.LeastSquares(np.eye(3), np.ones(3)), optimizer=st.Adam())._repr_html_()\n"
        "print('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])
def test_an_estimator_shows_scikit_learns_page_and_then_its_fit(make):
    model = make("adam", max_iter=10)
    before = model._repr_html_()
    assert "sk-container" in before
    assert "<polyline" not in before
    model.fit(X, Y > 0)
    after = pickle.loads(pickle.dumps(model))._repr_html_()
    assert "sk-container" in after
    assert "no tolerance judged it" in after
    assert (
        len(
            curves(
                ElementTree.fromstring(
                    after[after.index("<svg xmlns") : after.index("</svg>", after.index("<svg xmlns")) + 6]
                )
            )
        )
        == 1
    )


def test_plot_is_the_loss_curve():
    axes = run().plot(log=False)
    assert axes.get_ylabel() == "loss"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), run().history["loss"])
