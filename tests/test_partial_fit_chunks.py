"""`partial_fit` over chunks against one pass of `fit` over all their rows: the same bits."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from steepest.optimizers.names import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one pass is short

N, D, BATCH = 144, 7, 4
CHUNKS = [BATCH, 40, BATCH, 60, 36]
RNG = np.random.default_rng(7)
DENSE = RNG.standard_normal((N, D))
SCORES = DENSE @ RNG.standard_normal(D) + 0.3 * RNG.standard_normal(N) + 1.0
HEAVY = RNG.permutation(np.repeat([0.5, 1.5, 0.25, 1.75], N // 4))  # their mean is 1, without rounding
assert HEAVY.mean() == 1.0
TARGETS = {
    "least_squares": SCORES,
    "huber": SCORES,
    "poisson": np.round(np.exp(0.3 * SCORES)),
    "logistic": (SCORES > 1).astype(int),
    "softmax": np.digitize(SCORES, [0.0, 2.0]),
}
RATES = {"adam": 0.05, "lazy-adam": 0.05, "adagrad": 0.1, "rmsprop": 0.01}


def estimator(loss, optimizer, **options):
    options = {"alpha": 0.01, "learning_rate": RATES.get(optimizer, 0.01), "max_iter": 1, "tol": 0.0} | options
    if loss in ("logistic", "softmax"):
        return st.LogisticClassifier(optimizer, shuffle=False, **options)
    return st.LinearRegressor(optimizer, loss=loss, shuffle=False, **options)


def same_bits(model, whole):
    assert model.coef_.dtype == whole.coef_.dtype
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    np.testing.assert_array_equal(model.intercept_, whole.intercept_)


def in_chunks(model, X, y, weight=None, sizes=None, between=lambda model: model):
    ends = np.cumsum(CHUNKS if sizes is None else sizes)
    assert ends[-1] == len(y)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        rows = slice(start, end)
        first = {"classes": np.unique(y)} if isinstance(model, st.LogisticClassifier) else {}
        model.partial_fit(X[rows], y[rows], sample_weight=None if weight is None else weight[rows], **first)
        model = between(model)
    return model


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_chunks_have_the_bits_of_one_pass_over_all_rows(optimizer, loss, dtype, sparse, weighted):
    X = sp.csr_matrix(DENSE * (np.abs(DENSE) > 0.8)) if sparse else DENSE
    X, y, weight = X.astype(dtype), TARGETS[loss], HEAVY if weighted else None
    whole = estimator(loss, optimizer, batch_size=BATCH).fit(X, y, weight)
    assert np.abs(whole.coef_).max() > 1e-3
    same_bits(in_chunks(estimator(loss, optimizer, batch_size=BATCH), X, y, weight), whole)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["least_squares", "logistic", "softmax"])
@pytest.mark.parametrize("sizes", [[1] * 20 + [N - 20], [1] * N], ids=["mixed", "single"])
def test_single_rows(optimizer, loss, sizes):
    y = TARGETS[loss]
    whole = estimator(loss, optimizer, batch_size=1).fit(DENSE, y, HEAVY)
    same_bits(in_chunks(estimator(loss, optimizer, batch_size=1), DENSE, y, HEAVY, sizes), whole)


def wide(loss, seed=0):
    X = sp.random(N, 3000, 0.002, "csr", random_state=seed, data_rvs=np.random.default_rng(seed).standard_normal)
    return X, TARGETS[loss]


PENALTIES = {
    "none": {"alpha": 0.0},
    "ridge": {"alpha": 0.1},
    "lasso": {"alpha": 1e-3, "l1_ratio": 1.0},
    "both": {"alpha": 1e-2, "l1_ratio": 0.1},
}


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", ["least_squares", "logistic", "softmax"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_that_columns_of_sparse_rows_miss_stay_due(optimizer, loss, penalty, dtype):
    """A penalty or a velocity moves all columns in each step; most of 3000 columns wait until they are read."""
    X, y = wide(loss)
    options = {"batch_size": BATCH, "learning_rate": st.schedules.StepDecay(RATES.get(optimizer, 0.05), 0.5, 13)}
    options |= PENALTIES[penalty]
    whole = estimator(loss, optimizer, **options).fit(X.astype(dtype), y)
    model = in_chunks(estimator(loss, optimizer, **options), X.astype(dtype), y)
    same_bits(model, whole)


@pytest.mark.parametrize("between", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("optimizer", ["momentum", "gradient-descent", "rmsprop"])
def test_a_copy_goes_on_and_the_original_too(optimizer, between):
    X, y = wide("logistic")
    whole = estimator("logistic", optimizer, batch_size=BATCH, alpha=0.1).fit(X, y)
    copies = []

    def copied(model):
        copies.append(between(model))
        return model

    model = in_chunks(estimator("logistic", optimizer, batch_size=BATCH, alpha=0.1), X, y, between=copied)
    same_bits(model, whole)
    restored = [pickle.loads(each) if isinstance(each, bytes) else each for each in copies]
    again = restored[1].partial_fit(X[44:], y[44:])  # of which a settled copy differs by rounding alone
    np.testing.assert_allclose(again.coef_, whole.coef_, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_pickled_model_goes_on_to_the_same_bits(optimizer):
    y = TARGETS["softmax"]
    whole = estimator("softmax", optimizer, batch_size=BATCH).fit(DENSE, y)
    model = in_chunks(
        estimator("softmax", optimizer, batch_size=BATCH), DENSE, y, between=lambda m: pickle.loads(pickle.dumps(m))
    )
    same_bits(model, whole)


@pytest.mark.parametrize(
    "schedule",
    [
        st.schedules.StepDecay(0.05, 0.5, 10),
        st.schedules.InverseTimeDecay(0.05, 1.0, 7),
        st.schedules.CosineDecay(0.05, N // BATCH),
        st.schedules.LinearWarmup(0.05, 20),
        lambda step: 0.05 / (1 + step),
    ],
    ids=["steps", "inverse", "cosine", "warmup", "function"],
)
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_schedule_goes_on_over_chunks(optimizer, schedule):
    y = TARGETS["logistic"]
    whole = estimator("logistic", optimizer, batch_size=BATCH, learning_rate=schedule).fit(DENSE, y)
    model = in_chunks(estimator("logistic", optimizer, batch_size=BATCH, learning_rate=schedule), DENSE, y)
    same_bits(model, whole)
    constant = estimator("logistic", optimizer, batch_size=BATCH, learning_rate=0.05).fit(DENSE, y)
    assert not np.array_equal(model.coef_, constant.coef_)


def test_an_optimizer_with_its_own_rate():
    y = TARGETS["least_squares"]
    options = {"batch_size": BATCH, "learning_rate": "auto"}
    whole = estimator("least_squares", st.Adam(0.05, weight_decay=0.1), **options).fit(DENSE, y)
    same_bits(in_chunks(estimator("least_squares", st.Adam(0.05, weight_decay=0.1), **options), DENSE, y), whole)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_orders_and_models_without_an_intercept(order, fit_intercept):
    y = TARGETS["softmax"]
    X, options = np.array(DENSE, order=order), {"batch_size": BATCH, "fit_intercept": fit_intercept}
    whole = estimator("softmax", "adam", **options).fit(X, y)
    chunks = [np.array(X[rows], order=order) for rows in np.split(np.arange(N), np.cumsum(CHUNKS)[:-1])]
    model = estimator("softmax", "adam", **options)
    for part, labels in zip(chunks, np.split(y, np.cumsum(CHUNKS)[:-1]), strict=True):
        model.partial_fit(part, labels, classes=[0, 1, 2])
    same_bits(model, whole)


def test_shallow_copies_do_not_share_steps_that_columns_miss():
    X, y = wide("logistic")
    model = estimator("logistic", "momentum", batch_size=BATCH, alpha=0.1)
    model.partial_fit(X[:40], y[:40], classes=[0, 1])
    other, coefficients = copy.copy(model), model.coef_.copy()
    whole = copy.deepcopy(model).partial_fit(X[40:80], y[40:80])
    model.partial_fit(X[40:], y[40:])
    assert np.array_equal(other.coef_, coefficients)
    np.testing.assert_allclose(other.partial_fit(X[40:80], y[40:80]).coef_, whole.coef_, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_sparse_rows_that_are_standardised_do_as_dense_ones(optimizer, fit_intercept):
    X, y = wide("logistic")
    options = {"batch_size": BATCH, "alpha": 0.1, "standardize": True, "fit_intercept": fit_intercept}
    model = in_chunks(estimator("logistic", optimizer, **options), X, y)
    dense = in_chunks(estimator("logistic", optimizer, **options), X.toarray(), y)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-6, atol=1e-10)


def test_the_last_rows_are_not_kept_alive():
    X, y = wide("logistic")
    model = estimator("logistic", "momentum", batch_size=BATCH, alpha=0.1)
    for _ in range(2):
        data = X[:40].copy()
        held = weakref.ref(data.data)
        model.partial_fit(data, y[:40], classes=[0, 1])
        assert model._online.behind is not None
        del data
        assert held() is None


def test_tables_of_categories():
    pandas = pytest.importorskip("pandas")
    names = pandas.Categorical(np.array(["a", "b", "c"])[RNG.integers(0, 3, N)], ["a", "b", "c"])
    frame, y = pandas.DataFrame({"name": names, "x": DENSE[:, 0], "z": DENSE[:, 1]}), TARGETS["logistic"]
    whole = estimator("logistic", "momentum", batch_size=BATCH).fit(frame, y)
    assert whole.coef_.shape == (1, 5)
    same_bits(in_chunks(estimator("logistic", "momentum", batch_size=BATCH), frame, y), whole)


def test_class_weights_of_mean_one():
    y = np.repeat([0, 1], N // 2)[RNG.permutation(N)]
    options = {"batch_size": BATCH, "class_weight": {0: 0.5, 1: 1.5}}
    whole = estimator("logistic", "momentum", **options).fit(DENSE, y)
    same_bits(in_chunks(estimator("logistic", "momentum", **options), DENSE, y), whole)


def test_more_columns_than_a_vector_and_threads_change_nothing():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4096, 53)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    whole = estimator("logistic", "adam", batch_size=64).fit(X, y)
    model = estimator("logistic", "adam", batch_size=64, n_jobs=1)
    same_bits(in_chunks(model, X, y, sizes=[64, 1984, 2048]), whole)


def test_a_weight_multiplies_the_loss_of_a_single_row():
    """The mean weight of one row is its weight: dividing by it would leave none."""
    x, y = np.array([[2.0, 1.0]]), np.array([3.0])
    options = {"alpha": 0.0, "fit_intercept": False, "batch_size": 1, "learning_rate": 0.01}
    steps = [
        st.LinearRegressor("gradient-descent", **options).partial_fit(x, y, sample_weight=[weight]).coef_
        for weight in (1.0, 5.0)
    ]
    np.testing.assert_allclose(steps[0], 0.01 * 2 * 3.0 * x[0], rtol=1e-15)
    np.testing.assert_allclose(steps[1], 5 * steps[0], rtol=1e-15)


def test_another_rate_keeps_the_state_and_the_count_of_steps():
    model = estimator("least_squares", "momentum", batch_size=BATCH, learning_rate=0.01)
    model.partial_fit(DENSE[:40], SCORES[:40])
    steps, velocity = model._online.optimizer.n_steps, model._online.optimizer.state_dict()["state"]["velocity"]
    before = np.append(model.coef_, model.intercept_)
    model.set_params(learning_rate=1e-9).partial_fit(DENSE[40:44], SCORES[40:44])
    assert model._online.optimizer.n_steps == steps + 1
    after = model._online.optimizer.state_dict()["state"]["velocity"]
    residual = DENSE[40:44] @ before[:-1] + before[-1] - SCORES[40:44]
    gradient = np.append(2 * residual @ DENSE[40:44] / 4 + 0.01 * before[:-1], 2 * residual.mean())
    np.testing.assert_allclose(after, 0.9 * velocity + gradient, rtol=1e-12)


def test_coefficients_that_a_user_sets_are_the_start():
    model = estimator("least_squares", "gradient-descent", batch_size=BATCH, learning_rate=1e-9)
    model.partial_fit(DENSE[:40], SCORES[:40])
    model.coef_ = np.arange(7.0)
    model.partial_fit(DENSE[40:80], SCORES[40:80])
    np.testing.assert_allclose(model.coef_, np.arange(7.0), atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_an_error_in_a_call_changes_nothing(sparse):
    X, y = wide("logistic") if sparse else (DENSE, TARGETS["logistic"])

    def fails(progress):
        if progress.epoch:
            raise RuntimeError("on purpose")

    model = estimator("logistic", "momentum", batch_size=BATCH, alpha=0.1)
    model.partial_fit(X[:40], y[:40], classes=[0, 1])
    twin = copy.deepcopy(model)
    model.set_params(callbacks=fails)
    with pytest.raises(RuntimeError, match="on purpose"):
        model.partial_fit(X[40:80], y[40:80])
    same_bits(model, twin)
    model.set_params(callbacks=None)
    same_bits(model.partial_fit(X[40:], y[40:]), twin.partial_fit(X[40:], y[40:]))


def test_standardised_chunks_come_near_one_pass():
    """The statistics of the columns are those of all rows so far, so the bits differ by nature."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((4000, 5)) * [1, 10, 100, 0.1, 1] + [5, 0, -50, 1, 0]
    y = X @ [1.0, 0.1, 0.01, 10.0, -1.0] + 0.1 * rng.standard_normal(4000)
    options = {"batch_size": 8, "alpha": 0.0, "learning_rate": 0.02, "standardize": True}
    whole = estimator("least_squares", "gradient-descent", **options).fit(X, y)
    model = in_chunks(estimator("least_squares", "gradient-descent", **options), X, y, sizes=[400] * 10)
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * scale, whole.coef_ * scale, atol=0.02)
