"""Pictures of paths of regularisation, by the structure of their Axes."""

from __future__ import annotations

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402

import steepest as st  # noqa: E402

NAMES = ["age", "size", "price", "noise"]


def axes():
    return Figure(figsize=(7, 4.5), layout="constrained").subplots()


@pytest.fixture(scope="module")
def path():
    X = np.random.default_rng(0).standard_normal((100, 4))
    return st.path(st.LeastSquares(X, 3 * X[:, 1] - X[:, 2] + 0.1 * X[:, 3]), n_alphas=20, early_end=False)


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_largest_coefficients_have_names(path):
    ax = st.plot.path(path, names=NAMES, n_labels=2, ax=axes())
    assert texts(ax) == ["size", "price"]
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_array_equal(lines["size"].get_ydata(), path.coefs.toarray()[:, 1])
    np.testing.assert_array_equal(lines["size"].get_xdata(), path.alphas)
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "alpha", "coefficient")
    assert ax.get_xlim() == (path.alphas[0], path.alphas[-1])  # the strongest penalty at the left


def test_the_upper_axis_counts_coefficients(path):
    ax = st.plot.path(path, ax=axes())
    ax.figure.canvas.draw()
    (upper,) = ax.child_axes
    shown = [int(text.get_text()) for text in upper.get_xticklabels()]
    assert shown[0] == path.n_nonzero[0] == 0
    assert shown[-1] == path.n_nonzero[-1]


def test_a_marked_alpha(path):
    ax = path.plot(alpha=0.5, ax=axes())
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in ax.get_lines())
    assert texts(ax)[0] == "x1"


def test_several_scores():
    X = np.random.default_rng(0).standard_normal((100, 3))
    path = st.path(st.Softmax(X, np.digitize(X[:, 0], [-0.5, 0.5]).astype(float)), n_alphas=6)
    norms = st.plot.path(path, n_labels=1, ax=axes())
    expected = np.sqrt(sum(each.toarray()[:, 0] ** 2 for each in path.coefs))
    (line,) = [line for line in norms.get_lines() if line.get_label() == "x0"]
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert norms.get_ylabel() == "norm"
    assert st.plot.path(path, score=2, ax=axes()).get_ylabel() == "coefficient"


def test_a_path_of_one_alpha(path):
    X = np.random.default_rng(0).standard_normal((20, 2))
    ax = st.path(st.LeastSquares(X, 2 * X[:, 0]), [0.1]).plot(ax=axes())
    ax.figure.canvas.draw()
    assert ax.get_lines()[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"names": ["a"]}, ValueError, "names must be one for each of the 4 columns, got 1"),
        ({"score": 0}, ValueError, "score must be None for a path of one score, got 0"),
        ({"n_labels": 9}, ValueError, "n_labels must be an integer from 0 to 7, got 9"),
        ({"alpha": -1.0}, ValueError, "alpha must be a finite number above 0, got -1"),
    ],
)
def test_bad_arguments(path, options, error, text):
    with pytest.raises(error, match=text):
        st.plot.path(path, **options)


def test_what_is_no_path():
    with pytest.raises(TypeError, match=r"path must be what st\.path returns, got .*int64"):
        st.plot.path(np.int64(3))
