"""Level curves and surfaces with paths on them, by the structure of their Axes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402

import steepest as st  # noqa: E402
from steepest.plot import contour, surface  # noqa: E402

H = np.array([[5.5, 4.5], [4.5, 5.5]])


def quadratic(hessian: Any) -> st.Function:
    hessian = np.asarray(hessian, dtype=float)
    return st.Function(lambda w: (float(w @ hessian @ w) / 2, hessian @ w), len(hessian))


def curvature(hessian: Any) -> SimpleNamespace:
    values, vectors = np.linalg.eigh(hessian)
    return SimpleNamespace(eigenvalues=values, eigenvectors=vectors)


def descend(objective: Any, rate: float, w0: Any, n: int = 30, **options: Any) -> st.Result:
    w0, options = np.asarray(w0, dtype=objective.dtype), {"diagnose": False, **options}
    return st.minimize(objective, w0, st.GradientDescent(rate), max_epochs=n, record_path=True, **options)


def axes(projection: str | None = None) -> Any:
    return Figure(figsize=(7, 4.5), layout="constrained").subplots(subplot_kw={"projection": projection})


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax: Any, label: str) -> Any:
    (found,) = [each for each in ax.get_lines() if each.get_label() == label]
    return np.column_stack(found.get_data())


def draw(*arguments: Any, **options: Any) -> Any:
    options = {"ax": axes(), "resolution": 31} | options
    return contour(*arguments, **options)


def test_one_path_with_its_start_end_and_minimum() -> None:
    run = descend(quadratic(H), 0.1, [-2.0, 0.5])
    ax = draw(quadratic(H), run, minimum=np.zeros(2))
    np.testing.assert_allclose(line(ax, "path"), run.path)
    assert line(ax, "minimum").tolist() == [[0, 0]]
    assert legend(ax) == ["path", "start", "end", "minimum"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$w_{0}$", "$w_{1}$")
    (end,) = [
        np.ravel(each.get_data()) for each in ax.get_lines() if each.get_marker() == "s" and len(each.get_xdata())
    ]
    np.testing.assert_allclose(end, run.path[-1])
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    shown = np.vstack([run.path, [[0, 0]]])
    assert left < shown[:, 0].min() < shown[:, 0].max() < right
    assert bottom < shown[:, 1].min() < shown[:, 1].max() < top
    ax.figure.canvas.draw()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batch_mini_batch_and_stochastic_paths(dtype: Any, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 1)).astype(dtype)
    y = (2 * x[:, 0] + 1 + rng.standard_normal(200)).astype(dtype)
    objective = st.LeastSquares(x, y)
    sizes = {"batch": None, "mini-batch": 20, "stochastic": 1}
    runs = {name: descend(objective, 0.03, [-1, -1], 3, batch_size=size) for name, size in sizes.items()}
    best = np.linalg.lstsq(np.column_stack([x, np.ones(200)]), y, rcond=None)[0]
    ax = draw(objective, runs, minimum=best)
    assert legend(ax) == [*sizes, "start", "end", "minimum"]
    assert [len(line(ax, name)) for name in sizes] == [4, 31, 601]
    assert len({each.get_color() for each in ax.get_lines() if each.get_label() in sizes}) == 3
    ax.figure.savefig(tmp_path / "paths.png")
    assert matplotlib.image.imread(tmp_path / "paths.png").std() > 0.01


def test_levels_share_out_the_area() -> None:
    """A bowl's level curves lie at equal distances, and so do those of any increasing function of it."""
    bowl = st.Function(lambda w: (float(w @ w), 2 * w), 2)
    steep = st.Function(lambda w: (float(np.expm1(5 * w @ w)), w), 2)
    limits = ((-1, 1), (-1, 1))
    levels = [draw(each, limits=limits, resolution=101).collections[0].levels for each in (bowl, steep)]
    radii = [np.sqrt(levels[0]), np.sqrt(np.log1p(levels[1]) / 5)]
    np.testing.assert_allclose(radii[0], radii[1], atol=0.05)
    gaps = np.diff(radii[0][1:-3])
    assert gaps.max() < 1.5 * gaps.min()


def test_a_ravine_is_not_lost_between_its_walls() -> None:
    ravine = quadratic(np.diag([1.0, 1e4]))
    levels = draw(ravine, limits=((-1, 1), (-1, 1)), resolution=101).collections[0].levels
    assert np.sum(levels < 500) >= 5  # a tenth of the highest


@pytest.mark.parametrize("far", [np.inf, 1e200, 1e6])
def test_a_path_that_leaves_is_cut(far: float) -> None:
    away = np.array([[1.0, 1.0], [-1.2, -1.2], [1.5, 1.5], [-far, -far], [far, far]])
    ax = draw(quadratic(np.eye(2)), {"good": np.array([[1.0, 1.0], [0.1, 0.1]]), "bad": away})
    assert max(map(abs, (*ax.get_xlim(), *ax.get_ylim()))) < 5
    assert legend(ax)[:2] == ["good", "bad (diverges)"]
    shown = line(ax, "bad (diverges)")
    np.testing.assert_allclose(shown[:3], away[:3])
    assert np.abs(shown).max() < 5
    ax.figure.canvas.draw()


def test_a_real_divergence_does_not_explode_the_limits() -> None:
    objective = st.LeastSquares(np.diag([1.0, 8.0]), np.zeros(2), intercept=False)
    with pytest.warns(st.DivergenceWarning):
        run = descend(objective, 0.5, [-3.0, 0.5], 2000, diagnose=True)
    ax = draw(objective, run, minimum=np.zeros(2))
    assert np.ptp(ax.get_xlim()) < 20
    assert np.ptp(ax.get_ylim()) < 20


def test_a_run_that_roams_about_the_minimum_does_not_diverge() -> None:
    noise = np.random.default_rng(0).standard_normal((500, 2))
    walk = np.zeros((501, 2))
    for index in range(500):
        walk[index + 1] = 0.9 * walk[index] + noise[index]
    ax = draw(quadratic(np.eye(2)), walk)
    np.testing.assert_allclose(line(ax, "path"), walk)


def test_eigenvectors_are_two_axes_about_the_minimum() -> None:
    ax = draw(quadratic(H), minimum=np.zeros(2), eigenvectors=curvature(H))
    assert [text.get_text() for text in ax.texts if text.get_text()] == [r"$\lambda$ = 1", r"$\lambda$ = 10"]
    slow, fast = (np.array(text.xy) for text in ax.texts if not text.get_text())
    assert abs(slow @ fast) < 1e-9
    assert np.linalg.norm(slow) / np.linalg.norm(fast) == pytest.approx(10**0.5)
    assert ax.get_aspect() == 1.0


def test_more_parameters_are_seen_on_a_plane() -> None:
    hessian = np.diag([3.0, 0.5, 20.0, 1.0])
    run = descend(quadratic(hessian), 0.05, [1.0, 2.0, 3.0, 4.0])
    ax = draw(quadratic(hessian), run, minimum=np.zeros(4), eigenvectors=curvature(hessian))
    np.testing.assert_allclose(np.abs(line(ax, "path")), np.abs(run.path[:, [1, 2]]), atol=1e-12)
    assert [r"\lambda_\min$ = 0.5" in ax.get_xlabel(), r"\lambda_\max$ = 20" in ax.get_ylabel()] == [True, True]
    ax = draw(quadratic(hessian), run, directions=(3, 0))
    np.testing.assert_allclose(line(ax, "path"), run.path[:, [3, 0]])
    directions = np.zeros((4, 2))
    directions[[0, 1, 2], [0, 0, 1]] = 1.0
    ax = draw(quadratic(hessian), run, directions=directions, at=np.zeros(4))
    np.testing.assert_allclose(line(ax, "path"), np.column_stack([run.path[:, :2].mean(axis=1), run.path[:, 2]]))


def test_the_plane_goes_through_at() -> None:
    objective = quadratic(np.eye(3))
    ax = draw(objective, at=np.array([0.0, 0.0, 2.0]), limits=((-1, 1), (-1, 1)))
    assert ax.collections[0].levels[0] == pytest.approx(2.0)


def test_several_paths_without_labels_and_a_grid_search() -> None:
    objective = quadratic(np.eye(2))
    runs = [descend(objective, rate, [1.0, 0.5]) for rate in (0.1, 0.01)]
    assert legend(draw(objective, runs))[:2] == ["path 1", "path 2"]
    search = SimpleNamespace(learning_rates=(0.1, 0.01), results=tuple(runs))
    assert legend(draw(objective, search))[:2] == ["learning rate 0.1", "learning rate 0.01"]


def test_the_scale_is_drawn_in_a_figure_of_its_own_or_where_asked() -> None:
    from matplotlib import pyplot

    objective, limits = quadratic(np.eye(2)), ((-1, 1), (-1, 1))
    own = contour(objective, limits=limits, resolution=11)
    assert len(own.child_axes) == 1
    pyplot.close(own.figure)
    assert len(draw(objective, limits=limits).child_axes) == 0
    assert len(draw(objective, limits=limits, colorbar=True).child_axes) == 1


def test_a_function_that_is_not_finite_everywhere() -> None:
    logarithm = st.Function(lambda w: (float(w[0] - np.log(w[0]) + w[1] ** 2), w), 2)
    ax = draw(logarithm, minimum=np.array([1.0, 0.0]), limits=((-1, 3), (-1, 1)))
    assert np.isfinite(ax.collections[0].levels).all()
    ax.figure.canvas.draw()


def test_a_surface_lifts_its_paths() -> None:
    objective = quadratic(H)
    run = descend(objective, 0.1, [-2.0, 0.5])
    ax = surface(objective, run, minimum=np.zeros(2), resolution=21, ax=axes("3d"))
    path = next(each for each in ax.get_lines() if each.get_label() == "path")
    x, y, z = path.get_data_3d()
    np.testing.assert_allclose(z, [objective.value(np.array(w)) for w in zip(x, y, strict=True)])
    assert len(x) > len(run.path)
    assert (ax.get_zlabel(), legend(ax)) == ("loss", ["path", "start", "end", "minimum"])
    ax.figure.canvas.draw()


def test_a_surface_cuts_a_path_that_leaves() -> None:
    away = np.array([[1.0, 1.0], [-1.2, -1.2], [-1e30, 1e30], [np.inf, 0]])
    ax = surface(quadratic(np.eye(2)), away, minimum=np.zeros(2), resolution=11, ax=axes("3d"))
    path = next(each for each in ax.get_lines() if each.get_label() == "path (diverges)")
    assert np.nanmax(np.abs(path.get_data_3d())) < 30


BOWL = quadratic(np.eye(2))
WIDE = quadratic(np.eye(3))


@pytest.mark.parametrize("picture", [contour, surface])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objective": abs}, TypeError, "objective must be a LeastSquares, .*, got builtin_func"),
        ({"objective": quadratic([[1.0]])}, ValueError, "objective must have at least 2 parameters, got one with 1"),
        ({}, ValueError, r"limits must be given .* got None"),
        ({"limits": ((1, 0), (0, 1))}, ValueError, r"limits must be \(\(left, right\), \(bottom, top\)\), finite and"),
        ({"limits": "all"}, ValueError, r"limits must be .* got 'all'"),
        ({"paths": np.zeros(3)}, ValueError, r"paths must be .* got float64 of shape \(3,\)"),
        (
            {"paths": np.zeros((3, 4))},
            ValueError,
            r"paths must be .*shape \(n_points, 2\).* got float64 of shape \(3, 4",
        ),
        ({"paths": [[1, 2], [3]]}, ValueError, r"paths must be .* got"),
        ({"paths": "run"}, ValueError, r"paths must be .* got 'run' \(str\)"),
        ({"paths": np.array([[np.nan, 0.0]])}, ValueError, r"paths must start at a finite point, got \[nan  0.\]"),
        ({"paths": SimpleNamespace(path=None)}, ValueError, r"got a Result without one; .*record_path=True"),
        (
            {"minimum": np.zeros(3)},
            ValueError,
            r"minimum must be an array of shape \(2,\) .* got float64 of shape \(3,\)",
        ),
        ({"minimum": np.array([0, np.nan])}, ValueError, "minimum must be finite"),
        (
            {"minimum": np.zeros(2), "eigenvectors": H},
            TypeError,
            r"eigenvectors must be a Curvature, .* got float64 of",
        ),
        ({"minimum": np.zeros(2), "eigenvectors": curvature(np.eye(3))}, ValueError, r"got shapes \(3,\) and \(3, 3\)"),
        ({"minimum": np.zeros(2), "resolution": 1}, ValueError, "resolution must be an integer of at least 2, got 1"),
        ({"objective": WIDE}, ValueError, r"at must be an array of shape \(3,\), a point of the plane .*, got None"),
        ({"objective": WIDE, "at": np.zeros(2)}, ValueError, r"at must be an array of shape \(3,\)"),
        (
            {"objective": WIDE, "at": np.zeros(3), "directions": (0, 3)},
            ValueError,
            r"two different indices from 0 to 2",
        ),
        ({"objective": WIDE, "at": np.zeros(3), "directions": np.ones((3, 2))}, ValueError, "span a plane"),
        (
            {"objective": WIDE, "at": np.zeros(3), "directions": np.ones(3)},
            ValueError,
            r"directions must be an array of",
        ),
        (
            {"objective": WIDE, "at": np.zeros(3), "directions": (0, 1), "eigenvectors": curvature(np.eye(3))},
            ValueError,
            "directions must be None if eigenvectors span the plane, got both",
        ),
        (
            {"objective": st.Function(lambda w: (1.0, 0 * w), 2), "limits": ((0, 1), (0, 1))},
            ValueError,
            "objective must vary within the limits, got 1 everywhere",
        ),
        (
            {"objective": st.Function(lambda w: (np.nan, w), 2), "limits": ((0, 1), (0, 1))},
            ValueError,
            "objective must be finite somewhere within the limits",
        ),
    ],
)
def test_what_cannot_be_drawn(picture: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        picture(**({"objective": BOWL} | arguments))


def test_a_surface_needs_axes_of_three_dimensions() -> None:
    with pytest.raises(TypeError, match=r'ax must be made with projection="3d", got Axes'):
        surface(BOWL, minimum=np.zeros(2), ax=axes())
