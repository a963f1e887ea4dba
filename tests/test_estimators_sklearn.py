"""scikit-learn's own checks of an estimator, in full, for settings that take different ways through the code."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import steepest as st
from steepest.objectives.data import LOSSES

STOCHASTIC = [
    st.LinearRegressor("nesterov", batch_size=8, max_iter=100),
    st.LogisticClassifier("adam", batch_size=16, max_iter=100),
    st.LogisticClassifier(st.AdaGrad(0.5), batch_size=16, max_iter=100, standardize=True, early_stopping=True),
]
ESTIMATORS = [
    st.LinearRegressor(),
    st.LinearRegressor(alpha=0.1, l1_ratio=0.2),
    st.LinearRegressor(standardize=True, alpha=0.1),
    *(st.LinearRegressor(loss=name, alpha=0.1) for name, loss in LOSSES.items() if loss.regressor_options is not None),
    st.LogisticClassifier(),
    st.LogisticClassifier(alpha=0.1, l1_ratio=0.2),
    st.LogisticClassifier(standardize=True, warm_start=True),
    *STOCHASTIC,
]


def expected_failures(estimator):
    """What scikit-learn's SGDClassifier and SGDRegressor do not pass either, and targets that its tags exclude."""
    if getattr(estimator, "loss", "") == "poisson":
        return {"check_regressor_multioutput": "its targets are below 0, whatever target_tags.positive_only says"}
    if not any(estimator is each for each in STOCHASTIC):
        return {}
    why = "a row taken k times is k steps, one of weight k is one"
    return {f"check_sample_weight_equivalence_on_{kind}_data": why for kind in ("dense", "sparse")}


def each_check():
    """scikit-learn's parametrization as a list: some of its versions give a generator, which pytest refuses."""
    names, checks = (mark := parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures).mark).args
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each_check()
def test_follows_the_contract(estimator, check):
    check(estimator)


def test_sparse_checks_are_among_them():
    """scikit-learn leaves them out for an estimator that does not say that it takes a sparse X."""
    assert all(estimator.__sklearn_tags__().input_tags.sparse for estimator in ESTIMATORS)
