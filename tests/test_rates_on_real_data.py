"""`find_learning_rate` on real data, raw and standardised: within a factor of 3 of the best rate of a grid."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import datasets
import steepest as st

RATES = 2.0 ** np.arange(-27, 4)  # 7e-9 to 8, each twice the one before
FACTOR = 3.0
AS_GOOD = 0.03  # a rate is as good as the best if it lacks at most this share of the best one's fall
SEEDS = range(5)
RULES = {
    "GradientDescent": st.GradientDescent,
    "Momentum": st.Momentum,
    "AdaGrad": st.AdaGrad,
    "RMSProp": st.RMSProp,
    "Adam": st.Adam,
}
slow = pytest.mark.slow


@cache
def objective(name, standardised):
    """Diamonds (least squares), every fourth flight (logistic) or the ten digits (softmax), in float32."""
    if name == "digits":
        loss = st.Softmax
        X, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    else:
        pytest.importorskip({"diamonds": "plotnine", "flights": "pandas"}[name])
        data = datasets.diamonds() if name == "diamonds" else datasets.flights()
        every = 1 if name == "diamonds" else 4
        X, y, loss = data.X[::every], data.y[::every], data.loss
    if standardised:
        X = X[:, X.std(axis=0) > 0]
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        y = (y - y.mean()) / y.std() if loss is st.LeastSquares else y
    return loss(np.ascontiguousarray(X, np.float32), np.ascontiguousarray(y, np.float32))


def grid(objective, make, batch_size, epochs):
    """The loss of each rate: the mean over the last fifth of the epochs, and of these the median of several orders."""
    found = []
    for seed in SEEDS if batch_size else SEEDS[:1]:
        search = st.grid_search(
            objective, make(1.0), RATES, batch_size=batch_size, max_epochs=epochs, random_state=seed, diagnose=False
        )
        losses = [np.mean(result.history["loss"][-epochs // 5 :]) for result in search.results]
        ended = [result.stop_reason == "max_epochs" for result in search.results]
        found.append(np.where(ended, losses, np.inf))
    return np.median(found, axis=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("name", "standardised", "batch_size"),
    [
        ("digits", False, 256),
        ("digits", True, 256),
        pytest.param("digits", False, 32, marks=slow),
        pytest.param("digits", True, 32, marks=slow),
        pytest.param("digits", False, None, marks=slow),
        pytest.param("digits", True, None, marks=slow),
        *(
            pytest.param(name, standardised, size, marks=slow)
            for name in ("diamonds", "flights")
            for standardised in (False, True)
            for size in (256, None)
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::steepest.DivergenceWarning")
def test_the_rate_is_near_the_best_of_a_grid(rule, name, standardised, batch_size):
    problem, make, epochs = objective(name, standardised), RULES[rule], 10 if batch_size else 100
    losses = grid(problem, make, batch_size, epochs)
    start = problem.value(np.zeros(problem.n_parameters, problem.dtype))
    suggestion = st.find_learning_rate(problem, make(1.0), batch_size=batch_size, random_state=1).suggestion
    good = RATES[losses <= losses.min() + AS_GOOD * (start - losses.min())]
    distance = np.abs(np.log(good / suggestion)).min()
    assert distance < np.log(FACTOR), f"{suggestion:.3g}; the best of the grid is {RATES[losses.argmin()]:.3g}"
