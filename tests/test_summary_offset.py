"""`st.summary` of fits with offsets and with factors of the penalty, where the losses take them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

import steepest as st

pytestmark = pytest.mark.skipif(
    "offset" not in inspect.signature(st.Poisson).parameters, reason="losses take no offset"
)
RNG = np.random.default_rng(0)
N = 400
X, OFFSET = RNG.normal(size=(N, 3)), RNG.normal(size=N)
A = np.column_stack([X, np.ones(N)])
COUNTS = RNG.poisson(np.exp(0.3 * X[:, 0] + OFFSET)).astype(float)
LABELS = (RNG.logistic(size=N) < X[:, 0] + OFFSET).astype(int)
Y = X @ [1.0, 2.0, 3.0] + OFFSET + RNG.normal(size=N)


@pytest.mark.parametrize("kind", ["classical", "HC0"])
@pytest.mark.parametrize("make", ["squares", "two", "counts"])
def test_offsets(make: str, kind: Any) -> None:
    model, y, family = {
        "squares": (st.LinearRegressor(), Y, sm.families.Gaussian()),
        "two": (st.LogisticClassifier(alpha=0.0), LABELS, sm.families.Binomial()),
        "counts": (st.LinearRegressor(loss="poisson"), COUNTS, sm.families.Poisson()),
    }[make]
    model.fit(X, y, **{"offset": OFFSET})
    found = st.summary(model, X, y, offset=OFFSET, covariance=kind)
    robust = "nonrobust" if kind == "classical" else kind
    theirs = sm.GLM(y, A, family, offset=OFFSET).fit(tol=1e-14, cov_type=robust)
    np.testing.assert_allclose(found.coef, theirs.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.standard_errors, theirs.bse, rtol=1e-6)
    assert found.deviance == pytest.approx(theirs.deviance)
    assert found.null_deviance == pytest.approx(theirs.null_deviance)
    if make != "squares":  # whose likelihood statsmodels takes at another variance
        assert found.log_likelihood == pytest.approx(theirs.llf)
    with pytest.raises(ValueError, match="offset must be that of the fit, got None"):
        st.summary(model, X, y)


def test_an_offset_that_the_fit_did_not_have() -> None:
    with pytest.raises(ValueError, match="must be those of a fit that has converged"):
        st.summary(st.LinearRegressor(loss="poisson").fit(X, COUNTS), X, COUNTS, offset=OFFSET)
    with pytest.raises(ValueError, match=r"offset must be finite numbers of shape .*, 3"):
        st.summary(st.LogisticClassifier().fit(X, np.arange(N) % 3), X, np.arange(N) % 3, offset=OFFSET)


def test_factors_of_the_penalty() -> None:
    """The Hessian is written out."""
    options: dict[str, Any] = {"penalty_weight": [0.0, 1.0, 2.0]}
    model = st.LinearRegressor(alpha=0.3, **options).fit(X, Y)
    found = st.summary(model, X, Y)
    hessian = A.T @ A + N * 0.15 * np.diag([0.0, 1.0, 2.0, 0.0])
    np.testing.assert_allclose(found.covariance, found.dispersion * np.linalg.inv(hessian), rtol=1e-7, atol=1e-12)
    both = st.LinearRegressor(alpha=0.3, **options).fit(X, np.column_stack([Y, COUNTS]))
    np.testing.assert_allclose(both.coef_[0], model.coef_, rtol=1e-8)
    left_out: dict[str, Any] = {"penalty_weight": [0.0, np.inf, 1.0]}
    with pytest.raises(ValueError, match="penalty_weight must be finite"):
        st.summary(st.LinearRegressor(alpha=0.1, **left_out).fit(X, Y), X, Y)


def test_bounds_have_none() -> None:
    bounded: dict[str, Any] = {"positive": True}
    with pytest.raises(ValueError, match="estimates at a bound are not normal"):
        st.summary(st.LinearRegressor(**bounded).fit(X, Y), X, Y)
    both = st.LinearRegressor(**bounded).fit(X, np.column_stack([Y, -Y]))
    np.testing.assert_array_equal(both.coef_[1], st.LinearRegressor(**bounded).fit(X, -Y).coef_)


def test_factors_by_name_are_those_of_the_columns() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abc"))
    by_name: dict[str, Any] = {"penalty_weight": {"a": 0.0, "c": 2.0}}
    by_place: dict[str, Any] = {"penalty_weight": [0.0, 1.0, 2.0]}
    found = st.summary(st.LinearRegressor(alpha=0.3, **by_name).fit(frame, Y), frame, Y)
    expected = st.summary(st.LinearRegressor(alpha=0.3, **by_place).fit(X, Y), X, Y)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-12)
    left_out: dict[str, Any] = {"penalty_weight": {"b": np.inf}}
    with pytest.raises(ValueError, match="penalty_weight must be finite"):
        st.summary(st.LinearRegressor(alpha=0.1, **left_out).fit(frame, Y), frame, Y)


@pytest.mark.parametrize("ratio", [0.0, [0.0]])
def test_a_penalty_that_cross_validation_chose(ratio: Any) -> None:
    for chosen, plain, y in (
        (st.LinearRegressorCV(l1_ratio=ratio, alphas=[0.1, 0.01]), st.LinearRegressor(), Y),
        (st.LogisticClassifierCV(l1_ratio=ratio, alphas=[0.1, 0.01]), st.LogisticClassifier(), X[:, 0] + Y > 0),
    ):
        model = chosen.fit(X, y)
        expected = st.summary(plain.set_params(alpha=model.alpha_).fit(X, y), X, y)
        found = st.summary(model, X, y)
        np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=1e-6)
        assert found.n_parameters == pytest.approx(expected.n_parameters)
    with pytest.raises(ValueError, match="must leave no L1 penalty"):
        st.summary(st.LinearRegressorCV(alphas=[0.1, 0.01]).fit(X, Y), X, Y)


def test_an_offset_takes_the_shapes_of_fits_and_predictions() -> None:
    model = st.LinearRegressor(loss="poisson").fit(X, COUNTS, offset=OFFSET[:, None])
    found, expected = (st.summary(model, X, COUNTS, offset=each) for each in (OFFSET[:, None], OFFSET))
    np.testing.assert_array_equal(found.covariance, expected.covariance)
    constant = st.LinearRegressor(loss="poisson").fit(X, COUNTS, offset=0.5)
    found, expected = (st.summary(constant, X, COUNTS, offset=each) for each in (0.5, np.full(N, 0.5)))
    np.testing.assert_array_equal(found.covariance, expected.covariance)
