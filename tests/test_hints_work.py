"""Hints about names of other libraries: what each says is run, and works."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import steepest as st
from steepest.arrays import hints

X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0.3).astype(float)
LOSSES = [st.LeastSquares, st.Logistic, st.Softmax]
RULES = [st.GradientDescent, st.Momentum, st.AdaGrad, st.RMSProp, st.Adam]
ESTIMATORS = [st.LinearRegressor, st.LogisticClassifier]


def hint(call, name):
    """What the error about an unknown argument says to use."""
    with pytest.raises(TypeError) as caught:
        call(**{name: 1.0})
    found = re.fullmatch(rf"\w+\(\) got an unexpected keyword argument '{name}'; use (.*)", str(caught.value))
    assert found, str(caught.value)
    return found[1]


def keywords(text):
    return re.findall(r"(\w+)=", text)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss):
    parameters = inspect.signature(loss).parameters
    for name in hints.OF_OBJECTIVES:
        said = hint(lambda **options: loss(X, Y, **options), name)
        assert keywords(said)
        assert set(keywords(said)) <= set(parameters), said
    with pytest.raises(TypeError, match=rf"^{loss.__name__}\(\) got an unexpected keyword argument 'zzz'$"):
        loss(X, Y, zzz=1)


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule):
    parameters = inspect.signature(rule).parameters
    for name in ("lr", "eta", "eta0", "rate", "step_size", "learn_rate"):
        assert hint(lambda **options: rule(learning_rate=0.1, **options), name) == "learning_rate=..."
    for name in {"eps", "betas", "beta", "mu", "decay_rate", "alpha"} - set(parameters):
        try:
            rule(learning_rate=0.1, **{name: 0.5})
        except TypeError as error:
            said = str(error).partition("; use ")[2]
        assert set(keywords(said)) <= set(parameters), said
    if "momentum" not in parameters:
        assert hint(lambda **options: rule(learning_rate=0.1, **options), "momentum").startswith("st.Momentum(")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators(estimator):
    parameters = inspect.signature(estimator).parameters
    for name in hints.OF_ESTIMATORS:
        said = hint(estimator, name)
        assert set(keywords(said)) <= set(parameters), said
    of_fit = inspect.signature(estimator.fit).parameters
    for name in hints.OF_FITS:
        said = hint(lambda **options: estimator().fit(X, Y, **options), name)
        known = parameters if said.endswith("of the estimator") else of_fit
        assert set(keywords(said)) <= set(known), said


@pytest.mark.parametrize("C", [0.1, 2.0])
def test_the_hint_about_C_gives_scikit_learns_model(C):
    linear = pytest.importorskip("sklearn.linear_model")
    said = hint(st.LogisticClassifier, "C").removeprefix("alpha=").partition(",")[0]
    alpha = eval(said, {"C": C, "n_samples": len(X)})
    ours = st.LogisticClassifier(alpha=alpha).fit(X, Y)
    theirs = linear.LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5)
    np.testing.assert_allclose(st.minimize(st.Logistic(X, Y, alpha=alpha)).w[:3], theirs.coef_[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "SGD", "lbfgs", "L-BFGS-B", "momentum", "rmsprop", "adagrad", "quasi-newton"])
def test_an_optimizer_by_name(name):
    objective = st.Logistic(X, Y, alpha=0.1)
    with pytest.raises(TypeError, match="optimizer must be an optimizer such as") as caught:
        st.minimize(objective, optimizer=name)
    said = str(caught.value).partition("; use optimizer=")[2]
    result = st.minimize(objective, optimizer=eval(said), max_epochs=5, diagnose=False)
    assert result.value < result.history["loss"][0]


def test_a_tolerance_in_place_of_a_rule():
    objective = st.Logistic(X, Y, alpha=0.1)
    with pytest.raises(TypeError, match=r"stop must be rules of st\.stop") as caught:
        st.minimize(objective, stop=1e-3)
    said = str(caught.value).partition("; use stop=")[2]
    assert st.minimize(objective, stop=eval(said)).converged


def test_a_function_in_place_of_an_objective():
    def value_and_gradient(w):
        return float(w @ w), 2 * w

    with pytest.raises(TypeError, match="got function; wrap it: ") as caught:
        st.minimize(value_and_gradient, np.ones(2))
    said = str(caught.value).partition("; wrap it: ")[2]
    objective = eval(said, {"st": st, "value_and_gradient": value_and_gradient, "n_parameters": 2})
    assert st.minimize(objective, np.ones(2), st.GradientDescent(0.4)).value < 1e-6


@pytest.mark.parametrize(("search", "option"), [(st.find_learning_rate, "max_epochs"), (st.grid_search, "max_epochs")])
@pytest.mark.parametrize("name", ["epochs", "max_iter", "n_epochs"])
def test_searches(search, option, name):
    objective = st.Logistic(X, Y)
    with pytest.raises(TypeError, match=rf"{name}.*; use {option}=\.\.\.$"):
        search(objective, st.Adam(), **{name: 2})
    search(objective, st.Adam(), **{option: 2})


@pytest.mark.parametrize("labels", [(1.0, 2.0), (-1.0, 1.0), (0.0, 5.0)])
def test_two_other_labels(labels):
    y = np.where(Y > 0, *labels)
    with pytest.raises(ValueError, match="y must hold the labels 0 and 1 only") as caught:
        st.Logistic(X, y)
    said = str(caught.value).partition("; number its labels with ")[2]
    renumbered = eval(said, {"np": np, "y": y})
    assert st.Logistic(X, renumbered).n_samples == 40
    assert len(np.unique(renumbered[y == labels[0]])) == 1


def test_more_labels_lead_to_softmax():
    y = np.arange(40.0) % 3 + 1
    with pytest.raises(ValueError, match=r"; st\.Softmax takes more than two classes; number its") as caught:
        st.Logistic(X, y)
    renumbered = eval(str(caught.value).partition("number its labels with ")[2], {"np": np, "y": y})
    assert st.Softmax(X, renumbered).n_classes == 3


def test_numbers_lead_nowhere():
    with pytest.raises(ValueError, match=r"got -?\d\.\d+ at index 0$"):
        st.Logistic(X, X[:, 0].copy())


def test_a_vector_for_X():
    x = X[:, 0].copy()
    with pytest.raises(ValueError, match="; make it a column with ") as caught:
        st.Logistic(x, Y)
    assert st.Logistic(eval(str(caught.value).partition("with ")[2], {"X": x}), Y).n_parameters == 2
