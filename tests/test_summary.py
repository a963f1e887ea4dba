"""`st.summary` against statsmodels, against rows that are repeated, and against formulas that are written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm

import steepest as st
from nist import problems
from steepest.objectives import column_statistics

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 3)) * [1, 20, 0.5] + [0, 100, -1]
Y = X @ [1.0, 0.1, 0.0] + 3.0 + RNG.normal(size=N) * (1 + np.abs(X[:, 0]))
LABELS = (X[:, 0] + 0.02 * X[:, 1] - 2 + RNG.logistic(size=N) > 0).astype(int)
CLASSES = np.array(["fir", "oak", "yew"])[
    (np.column_stack([X[:, 0], X[:, 2], 0.02 * X[:, 1]]) + RNG.gumbel(size=(N, 3))).argmax(axis=1)
]
COUNTS = RNG.poisson(np.exp(0.3 * X[:, 0] + 0.01 * X[:, 1])).astype(float)
COPIES = RNG.integers(0, 4, N).astype(float)
WEIGHT = RNG.uniform(0.2, 3, N)


def with_constant(columns: Any) -> Any:
    """Columns, and a last one of ones, as the intercept is the last of ours."""
    return np.column_stack([columns, np.ones(len(columns))])


def assert_same(ours: st.Summary, theirs: Any, rtol: float = 1e-6) -> None:
    """All that both have. MNLogit has a column for each class but the first."""
    several = ours.coef.ndim == 2
    for mine, other in (
        (ours.coef, theirs.params),
        (ours.standard_errors, theirs.bse),
        (ours.statistic, theirs.tvalues),
        (ours.p_values, theirs.pvalues),
    ):
        other = np.asarray(other)
        np.testing.assert_allclose(mine, other.T if several else other, rtol=rtol * 10, atol=1e-12)
    ends = np.asarray(theirs.conf_int()).reshape(ours.intervals.shape)
    np.testing.assert_allclose(ours.intervals, ends, rtol=rtol * 10, atol=1e-9)
    np.testing.assert_allclose(ours.covariance, np.asarray(theirs.cov_params()), rtol=rtol * 10, atol=1e-12)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=rtol)
    assert ours.degrees_of_freedom == pytest.approx(theirs.df_resid)
    assert ours.aic == pytest.approx(theirs.aic, rel=rtol)


KINDS = pytest.mark.parametrize("kind", ["classical", "HC0", "HC1"])
THEIRS = {"classical": "nonrobust", "HC0": "HC0", "HC1": "HC1"}


@KINDS
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_least_squares(kind: str, intercept: bool, standardize: bool) -> None:
    model = st.LinearRegressor(fit_intercept=intercept, standardize=standardize).fit(X, Y)
    found = st.summary(model, X, Y, covariance=kind)  # type: ignore[arg-type]
    theirs = sm.OLS(Y, with_constant(X) if intercept else X).fit(cov_type=THEIRS[kind], use_t=True)
    assert_same(found, theirs)
    assert found.statistic_name == "t"
    assert found.dispersion == pytest.approx(theirs.scale)
    assert found.deviance_explained == pytest.approx(theirs.rsquared)
    assert found.bic == pytest.approx(theirs.bic)
    assert found.null_deviance == pytest.approx(theirs.centered_tss if intercept else theirs.uncentered_tss)


# Deviations that NIST certifies (Statistical Reference Datasets), the intercept first, and that of the residuals.
CERTIFIED = {
    "Longley": (
        [890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699, 0.214274163161675,
         0.226073200069370, 455.478499142212],
        304.854073561965,
    ),
    "Norris": ([0.232818234301152, 0.429796848199937e-03], 0.884796396144373),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CERTIFIED))
def test_certified_deviations(name: str) -> None:
    columns, y, _, _ = problems()[name]
    found = st.summary(st.LinearRegressor().fit(columns, y), columns, y)
    errors, spread = CERTIFIED[name]
    np.testing.assert_allclose(np.roll(found.standard_errors, 1), errors, rtol=1e-8)
    assert found.dispersion**0.5 == pytest.approx(spread, rel=1e-9)


def test_least_squares_with_other_levels() -> None:
    model = st.LinearRegressor().fit(X, Y)
    theirs = sm.OLS(Y, with_constant(X)).fit()
    for level in (0.5, 0.9, 0.999):
        ends = st.summary(model, X, Y, level=level).intervals
        np.testing.assert_allclose(ends, theirs.conf_int(1 - level), rtol=1e-8)


@pytest.mark.parametrize("kind", ["classical", "HC0"])
def test_two_classes(kind: str) -> None:
    found = st.summary(st.LogisticClassifier(alpha=0.0).fit(X, LABELS), X, LABELS, covariance=kind)  # type: ignore[arg-type]
    theirs = sm.Logit(LABELS, with_constant(X)).fit(disp=0, tol=1e-12, cov_type=THEIRS[kind])
    assert_same(found, theirs)
    assert found.statistic_name == "z"
    assert found.null_deviance == pytest.approx(-2 * theirs.llnull)
    assert found.deviance_explained == pytest.approx(theirs.prsquared)


@pytest.mark.parametrize("kind", ["classical", "HC0"])
@pytest.mark.parametrize("standardize", [True, False])
def test_three_classes(kind: str, standardize: bool) -> None:
    """MNLogit's coefficients are differences to the first class too."""
    model = st.LogisticClassifier(alpha=0.0, standardize=standardize).fit(X, CLASSES)
    found = st.summary(model, X, CLASSES, covariance=kind)  # type: ignore[arg-type]
    numbers = np.unique(CLASSES, return_inverse=True)[1]
    theirs = sm.MNLogit(numbers, with_constant(X)).fit(disp=0, method="newton", tol=1e-14, cov_type=THEIRS[kind])
    assert found.coef.shape == (2, 4)
    assert_same(found, theirs)
    assert found.null_deviance == pytest.approx(-2 * theirs.llnull)


@pytest.mark.parametrize("make", ["two", "three", "counts"])
def test_hc1_multiplies_hc0(make: str) -> None:
    """By n / (n - p). statsmodels does so for least squares alone."""
    model, y, p = {
        "two": (st.LogisticClassifier(alpha=0.0), LABELS, 4),
        "three": (st.LogisticClassifier(alpha=0.0), CLASSES, 8),
        "counts": (st.LinearRegressor(loss="poisson"), COUNTS, 4),
    }[make]
    model.fit(X, y)
    zero, one = (st.summary(model, X, y, covariance=kind).covariance for kind in ("HC0", "HC1"))
    np.testing.assert_allclose(one, zero * N / (N - p), rtol=1e-12)
    np.testing.assert_array_equal(st.summary(model, X, y, covariance="sandwich").covariance, one)


@pytest.mark.parametrize("kind", ["classical", "HC0"])
@pytest.mark.parametrize("weighted", [True, False])
def test_counts(kind: str, weighted: bool) -> None:
    weight = np.maximum(COPIES, 1) if weighted else None
    model = st.LinearRegressor(loss="poisson").fit(X, COUNTS, weight)
    found = st.summary(model, X, COUNTS, weight, covariance=kind)  # type: ignore[arg-type]
    glm = sm.GLM(COUNTS, with_constant(X), sm.families.Poisson(), freq_weights=weight)
    theirs = glm.fit(tol=1e-14, cov_type=THEIRS[kind])
    assert_same(found, theirs)
    assert found.dispersion == 1.0
    assert found.deviance == pytest.approx(theirs.deviance)
    assert found.null_deviance == pytest.approx(theirs.null_deviance)


@KINDS
@pytest.mark.parametrize("make", ["squares", "two", "three", "counts", "huber"])
def test_a_weight_of_k_is_k_copies_of_a_row(kind: str, make: str) -> None:
    """All of the summary, of rows of weight 0 too."""
    model, y = {
        "squares": (st.LinearRegressor(), Y),
        "two": (st.LogisticClassifier(alpha=0.01), LABELS),
        "three": (st.LogisticClassifier(alpha=0.0), CLASSES),
        "counts": (st.LinearRegressor(loss="poisson"), COUNTS),
        "huber": (st.LinearRegressor(loss="huber", delta=1.0), Y),
    }[make]
    kind = "auto" if make == "huber" and kind == "classical" else kind
    index = np.repeat(np.arange(N), COPIES.astype(int))
    first = st.summary(model.fit(X, y, COPIES), X, y, COPIES, covariance=kind)  # type: ignore[arg-type]
    second = st.summary(model.fit(X[index], y[index]), X[index], y[index], covariance=kind)  # type: ignore[arg-type]
    for name in ("coef", "standard_errors", "p_values", "covariance", "intervals"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-5, atol=1e-12, err_msg=name)
    for name in (
        "n_samples",
        "n_parameters",
        "dispersion",
        "log_likelihood",
        "deviance",
        "null_deviance",
        "aic",
        "bic",
    ):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-8, nan_ok=True), name


@pytest.mark.parametrize("kind", ["HC0", "HC1"])
def test_sampling_weights(kind: str) -> None:
    """statsmodels' WLS takes each row as one. A factor of all weights changes nothing."""
    model = st.LinearRegressor().fit(X, Y, WEIGHT)
    found = st.summary(model, X, Y, WEIGHT, covariance=kind, weights_are="sampling")  # type: ignore[arg-type]
    theirs = sm.WLS(Y, with_constant(X), WEIGHT).fit(cov_type=kind, use_t=True)
    np.testing.assert_allclose(found.coef, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors, theirs.bse, rtol=1e-8)
    np.testing.assert_allclose(found.p_values, theirs.pvalues, rtol=1e-6)
    assert (found.n_samples, found.degrees_of_freedom) == (N, N - 4)
    more = st.summary(model, X, Y, 10 * WEIGHT, covariance=kind, weights_are="sampling")  # type: ignore[arg-type]
    np.testing.assert_allclose(more.standard_errors, found.standard_errors, rtol=1e-10)
    assert st.summary(model, X, Y, WEIGHT, weights_are="sampling").covariance_type == "HC1"


def test_weights_of_classes() -> None:
    """The gradient of a row has the factor of its class: the sandwich squares it."""
    factors = {0: 1.0, 1: 3.0}
    model = st.LogisticClassifier(alpha=0.0, class_weight=factors).fit(X, LABELS, COPIES)
    found = st.summary(model, X, LABELS, COPIES, covariance="HC0")
    A, f = with_constant(X), np.where(LABELS == 1, 3.0, 1.0)
    p = model.predict_proba(X)[:, 1]
    bread = np.linalg.inv((A.T * (COPIES * f * p * (1 - p))) @ A)
    meat = (A.T * (COPIES * (f * (p - LABELS)) ** 2)) @ A
    np.testing.assert_allclose(found.covariance, bread @ meat @ bread, rtol=1e-6)
    assert np.isnan(found.log_likelihood)
    assert "class_weight" in str(found)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_a_penalty_of_squares(alpha: float, standardize: bool) -> None:
    """The Hessian is written out. The parameters are counted by the trace of the smoother matrix."""
    model = st.LinearRegressor(alpha=alpha, standardize=standardize).fit(X, Y)
    found = st.summary(model, X, Y)
    A = with_constant(X)
    P = np.diag([*(column_statistics(X)[1] ** 2 if standardize else np.ones(3)), 0.0])
    H = A.T @ A + N * alpha / 2 * P
    p = np.trace(np.linalg.solve(H, A.T @ A))
    spread = ((Y - model.predict(X)) ** 2).sum() / (N - p)
    assert found.n_parameters == pytest.approx(p)
    assert found.dispersion == pytest.approx(spread)
    np.testing.assert_allclose(found.covariance, spread * np.linalg.inv(H), rtol=1e-7, atol=1e-12)
    assert any("L2 penalty" in note for note in found.notes)


def test_a_penalty_of_three_classes() -> None:
    """The inverse of the whole Hessian, over all directions but the shift of all intercepts, and differences of it."""
    alpha = 0.02
    model = st.LogisticClassifier(alpha=alpha).fit(X, CLASSES)
    found = st.summary(model, X, CLASSES)
    A, P = with_constant(X), model.predict_proba(X)
    blocks = [[(A.T * (P[:, i] * ((i == j) - P[:, j]))) @ A for j in range(3)] for i in range(3)]
    H = np.block(blocks) + N * alpha * np.kron(np.eye(3), np.diag([1.0, 1.0, 1.0, 0.0]))
    differences = np.kron([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]], np.eye(4))
    covariance = differences @ np.linalg.pinv(H, rcond=1e-13, hermitian=True) @ differences.T
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5, atol=1e-10)
    np.testing.assert_allclose(found.coef[:, :3], model.coef_[1:] - model.coef_[0], rtol=1e-12)


def test_huber() -> None:
    """The sandwich of an M-estimate, written out: of clipped errors, and of the rows that are not clipped."""
    delta = 1.2
    model = st.LinearRegressor(loss="huber", delta=delta).fit(X, Y)
    found = st.summary(model, X, Y, covariance="HC0")
    A, r = with_constant(X), Y - model.predict(X)
    bread = np.linalg.inv((A.T * (np.abs(r) <= delta)) @ A)
    meat = (A.T * np.clip(r, -delta, delta) ** 2) @ A
    np.testing.assert_allclose(found.covariance, bread @ meat @ bread, rtol=1e-7)
    assert np.isnan([found.log_likelihood, found.deviance_explained, found.dispersion, found.aic]).all()
    assert st.summary(model, X, Y).covariance_type == "HC1"


STORED = {
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_matrix,
    "csc": sp.csc_matrix,
    "csr float32": lambda X: sp.csr_matrix(X.astype(np.float32)),
    "frame": lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", ["classical", "HC1"])
@pytest.mark.parametrize("name", list(STORED))
@pytest.mark.parametrize("make", ["squares", "two", "three", "counts"])
def test_every_storage_of_x(name: str, make: str, kind: str) -> None:
    model, y = {
        "squares": (st.LinearRegressor(), Y),
        "two": (st.LogisticClassifier(alpha=0.0), LABELS),
        "three": (st.LogisticClassifier(alpha=0.0), CLASSES),
        "counts": (st.LinearRegressor(loss="poisson"), COUNTS),
    }[make]
    expected = st.summary(model.fit(X, y, WEIGHT), X, y, WEIGHT, covariance=kind)  # type: ignore[arg-type]
    stored = STORED[name](X)
    found = st.summary(model.fit(stored, y, WEIGHT), stored, y, WEIGHT, covariance=kind)  # type: ignore[arg-type]
    rtol = 1e-3 if "32" in name else 1e-7
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=rtol)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=rtol, atol=rtol)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-5)
    assert found.names[:-1] == (["a", "b", "c"] if name == "frame" else ["x0", "x1", "x2"])


def test_blocks_of_float32_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    from steepest.inference import estimate

    narrow = X.astype(np.float32)
    model = st.LogisticClassifier(alpha=0.0).fit(narrow, CLASSES, WEIGHT)
    for stored in (narrow, sp.csr_matrix(narrow)):
        whole = st.summary(model, stored, CLASSES, WEIGHT, covariance="HC1")
        monkeypatch.setattr(estimate, "_ELEMENTS", 3 * 7)
        parts = st.summary(model, stored, CLASSES, WEIGHT, covariance="HC1")
        monkeypatch.undo()
        np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-9, atol=1e-14)


def test_categories() -> None:
    """The names of levels, and the numbers of statsmodels for one-hot columns."""
    tree = pd.Categorical(CLASSES, categories=["yew", "fir", "oak"])
    frame = pd.DataFrame({"size": X[:, 0], "tree": tree})
    model = st.LinearRegressor().fit(frame, Y)
    found = st.summary(model, frame, Y, covariance="HC1")
    columns = np.column_stack([X[:, 0], CLASSES == "fir", CLASSES == "oak"]).astype(float)
    assert_same(found, sm.OLS(Y, with_constant(columns)).fit(cov_type="HC1", use_t=True))
    assert found.names == ["size", "tree=fir", "tree=oak", "(intercept)"]
    penalised = st.LinearRegressor(alpha=0.1).fit(frame, Y)  # with a coefficient for each level
    assert st.summary(penalised, frame, Y).coef.shape == (5,)


def test_columns_far_from_zero_and_of_far_units() -> None:
    """The errors of slopes do not depend on shifts, and are in the units of the columns."""
    far = X * [1e-6, 1.0, 1e9] + [1.0, 1e6, 0.0]
    found = st.summary(st.LinearRegressor().fit(far, Y), far, Y)
    near = st.summary(st.LinearRegressor().fit(X, Y), X, Y)
    np.testing.assert_allclose(found.standard_errors[:3] * [1e-6, 1.0, 1e9], near.standard_errors[:3], rtol=1e-5)
    assert found.log_likelihood == pytest.approx(near.log_likelihood, rel=1e-9)


@pytest.mark.parametrize("factor", [1e-150, 1e150])
def test_targets_of_far_units(factor: float) -> None:
    found = st.summary(st.LinearRegressor().fit(X, Y * factor), X, Y * factor)
    near = st.summary(st.LinearRegressor().fit(X, Y), X, Y)
    np.testing.assert_allclose(found.standard_errors / factor, near.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(found.p_values, near.p_values, rtol=1e-6)
    assert found.log_likelihood == pytest.approx(near.log_likelihood - N * np.log(factor), rel=1e-9)


def test_text_html_and_frame() -> None:
    frame = pd.DataFrame(X, columns=["<b>", "a & b", "c"])
    found = st.summary(st.LogisticClassifier(alpha=0.0).fit(frame, CLASSES), frame, CLASSES)
    text, html = str(found), found._repr_html_()
    assert repr(found) == text
    lines = text.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("a & b", "(intercept)"))] == ["a", "(intercept)"] * 2
    tables = [place for place, line in enumerate(lines) if line.startswith("class ")]
    assert lines[tables[0]] == "class oak, compared with fir"
    widths = {len(line) for line in lines[tables[0] + 1 : tables[0] + 6]}
    assert len(widths) == 1  # aligned
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "a &amp; b" in html
    table = found.to_frame()
    assert table.loc[("yew", "c"), "standard_error"] == found.standard_errors[1, 2]
    assert list(table.columns) == ["coefficient", "standard_error", "statistic", "p_value", "lower", "upper"]
    single = st.summary(st.LinearRegressor().fit(frame, Y), frame, Y).to_frame()
    assert list(single.index) == ["<b>", "a & b", "c", "(intercept)"]


def test_long_tables_are_cut() -> None:
    wide = np.random.default_rng(1).normal(size=(600, 250))
    found = st.summary(st.LinearRegressor().fit(wide, wide[:, 0]), wide, wide[:, 0])
    assert "... and 51 more" in str(found)
    assert len(found.to_frame()) == 251


def test_nothing_is_changed() -> None:
    model = st.LogisticClassifier(alpha=0.0).fit(X, LABELS)
    before = dict(model.__dict__)
    st.summary(model, X, LABELS)
    assert model.__dict__ == before


def test_the_number_of_threads_changes_no_bit() -> None:
    model = st.LogisticClassifier(alpha=0.0).fit(X, CLASSES)
    found = []
    for n in (1, 2):
        with st.threads(n):
            found.append(st.summary(model, X, CLASSES, covariance="HC1").covariance)
    np.testing.assert_array_equal(*found)
