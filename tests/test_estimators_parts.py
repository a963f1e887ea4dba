"""Estimators over data in parts: fits, predictions and scores are those over the whole arrays."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from linear_models import assert_same
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts
from steepest.objectives.questions import AskRows, HeldPart
from steepest.parts.local import LocalEngine
from steepest.parts.tree import Tree

N, D = 403, 5
CUTS = [0, 37, 38, 211, 300, N]
LABELS = np.array([-3.0, 2.0, 7.0])


def table(seed=0, n=N):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, D)) * np.geomspace(0.3, 3.0, D) + np.linspace(-1.0, 2.0, D)
    z = (X - X.mean(axis=0)) @ np.linspace(-0.7, 0.7, D) + random.normal(size=n)
    return X, z, random.integers(0, 3, n).astype(float)


def targets(kind, z):
    """Targets of a loss, or the labels of so many classes."""
    if isinstance(kind, int):
        return LABELS[np.digitize(z, [-1.0, 1.0] if kind == 3 else [0.3])]
    counts = np.random.default_rng(1).poisson(np.exp(np.clip(z, -3, 3)))
    return counts.astype(float) if kind == "poisson" else z


def in_parts(X, y, weight=None, cuts=CUTS):
    return Parts.of(
        (csr_view(X[a:b]) if sp.issparse(X) else X[a:b], y[a:b], None if weight is None else weight[a:b])
        for a, b in itertools.pairwise(cuts)
    )


def sparse_of(X):
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    return sp.csr_array(X)


def made(kind, **options):
    if isinstance(kind, int):
        return st.LogisticClassifier(**options)
    return st.LinearRegressor(loss=kind, **options)


KINDS = ["least_squares", "huber", "poisson", 2, 3]
OPTIONS = {
    "plain": {},
    "penalty": {"alpha": 0.05},
    "l1": {"alpha": 0.05, "l1_ratio": 0.9},
    "standardised": {"standardize": True, "alpha": 0.01},
    "no intercept": {"fit_intercept": False, "alpha": 0.01, "standardize": True},
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@each_kind
def test_a_fit_is_that_over_the_whole_arrays(kind, sparse, weighted, options):
    X, z, weight = table()
    y, X, weight = targets(kind, z), sparse_of(X) if sparse else X, weight if weighted else None
    found = made(kind, **options).fit(in_parts(X, y, weight))
    expected = made(kind, **options).fit(X, y, sample_weight=weight)
    assert_same(found, expected, 1e-6)
    assert found.stop_reason_ in ("GradientNorm", "precision")
    assert found.coef_.shape == expected.coef_.shape
    assert np.shape(found.intercept_) == np.shape(expected.intercept_)
    assert found.coef_.dtype == expected.coef_.dtype
    assert found.n_features_in_ == D
    assert found.history_["loss"][-1] == pytest.approx(expected.history_["loss"][-1], rel=1e-9)
    assert not hasattr(found, "feature_names_in_")


@pytest.mark.parametrize("class_weight", ["balanced", {2.0: 3.0, -3.0: 0.5}], ids=["balanced", "dict"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardised"])
@pytest.mark.parametrize("kind", [2, 3])
def test_classes_have_weights(kind, standardize, weighted, class_weight):
    X, z, weight = table()
    y, weight = targets(kind, z), weight if weighted else None
    options = {"class_weight": class_weight, "standardize": standardize, "alpha": 0.05}
    found = made(kind, **options).fit(in_parts(X, y, weight))
    expected = made(kind, **options).fit(X, y, sample_weight=weight)
    assert_same(found, expected, 1e-6)
    plain = made(kind, standardize=standardize, alpha=0.05).fit(X, y, sample_weight=weight)
    assert np.abs(plain.coef_ - expected.coef_).max() > 1e-4
    np.testing.assert_array_equal(found.classes_, LABELS[:kind])


@pytest.mark.filterwarnings("ignore:The fit")  # in so few passes
@pytest.mark.parametrize("optimizer", ["gradient-descent", "momentum", "adam"])
@each_kind
def test_descent_takes_the_same_steps(kind, optimizer):
    X, z, weight = table()
    y, options = targets(kind, z), {"standardize": True, "alpha": 0.1, "max_iter": 30, "tol": 0.0}
    if optimizer == "adam":  # which makes a step of the rounding of a gradient, as that of the intercept is
        options["fit_intercept"] = False
    found = made(kind, optimizer=optimizer, **options).fit(in_parts(X, y, weight))
    expected = made(kind, optimizer=optimizer, **options).fit(X, y, sample_weight=weight)
    assert found.n_iter_ == expected.n_iter_ == 30
    assert_same(found, expected, 1e-6)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@each_kind
def test_mini_batches_take_the_same_rows(kind, weighted, sparse):
    X, z, weight = table()
    y, X, weight = targets(kind, z), sparse_of(X) if sparse else X, weight if weighted else None
    options = {"batch_size": 16, "max_iter": 3, "random_state": 1, "standardize": not sparse, "alpha": 0.1}
    if isinstance(kind, int):
        options["class_weight"] = "balanced"
    found = made(kind, **options).fit(in_parts(X, y, weight))
    expected = made(kind, **options).fit(X, y, sample_weight=weight)
    assert_same(found, expected, 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_kind
def test_predictions_and_scores_are_those_of_the_whole_arrays(kind, dtype):
    X, z, weight = (each.astype(dtype) for each in table())
    y = targets(kind, z).astype(dtype)
    for data in (X, sparse_of(X).astype(dtype)):
        model = made(kind, alpha=0.1).fit(data, y)
        parts = in_parts(data, y, weight)
        assert model.score(parts) == pytest.approx(model.score(data, y, sample_weight=weight), rel=1e-6)
        methods = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
        for method in methods if isinstance(kind, int) else methods[:1]:
            found, expected = getattr(model, method)(parts), getattr(model, method)(data)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_scores_lose_no_digits_of_targets_far_from_zero():
    X, z, _ = table()
    y = z + 1e8
    model = st.LinearRegressor().fit(X, y)
    assert model.score(in_parts(X, y)) == pytest.approx(model.score(X, y), abs=1e-6)


class Elsewhere(LocalEngine):
    """Two processes, as it were: questions and answers are pickled, and parts are asked in turn."""

    def __init__(self, held):
        super().__init__(len(held), None)
        self.held = held

    def reduce(self, question, *arrays):
        whole, sent = Tree(len(self.held), question.add), pickle.dumps((question, arrays))
        for first in (1, 0):
            own, given = pickle.loads(sent)
            worker = Tree(len(self.held), own.add)
            for part in self.held[first::2]:
                skipped = own.asks is not None and part.index not in own.asks
                worker.put(part.index, None if skipped else own.of(part, *given))
            whole.take(pickle.loads(pickle.dumps(worker.nodes)))
        return whole.total()


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "random_state": 3}, {"standardize": True}], ids=str)
@each_kind
def test_the_same_bits_wherever_parts_are(kind, options):
    X, z, weight = table()
    y = targets(kind, z)
    held = [HeldPart(i, X[a:b], y[a:b], weight[a:b]) for i, (a, b) in enumerate(itertools.pairwise(CUTS))]
    if isinstance(kind, int):
        options = {**options, "class_weight": "balanced"}
    results = []
    for parts in (Parts(Elsewhere(held)), in_parts(X, y, weight)):
        model = made(kind, **options).fit(parts)
        results.append((model.coef_.tobytes(), model.predict(parts).tobytes(), model.score(parts)))
    assert results[0] == results[1]


def test_no_pass_gathers_the_rows(monkeypatch):
    X, z, _ = table(n=60_000)
    taken, of = [], AskRows.of

    def counted(self, part):
        found = of(self, part)
        taken.append(sum(len(y) for _, y, _ in found))
        return found

    monkeypatch.setattr(AskRows, "of", counted)
    parts = in_parts(X, z, cuts=range(0, 60_001, 6_000))
    for kind in KINDS:
        taken.clear()
        y = targets(kind, z)
        parts = in_parts(X, y, cuts=range(0, 60_001, 6_000))
        model = made(kind, alpha=0.01, early_stopping=True, random_state=0).fit(parts)
        model.score(parts)
        assert sum(taken) <= (25_000 if kind == "huber" else 15_000)  # the samples of QuasiNewton


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["least_squares", "huber"])
def test_targets_and_columns_far_from_zero_lose_no_digits(kind, dtype):
    X, z, weight = table()
    X, y = (X + 500.0).astype(dtype), (1000.0 * z + 1e6).astype(dtype)
    found = made(kind, delta=2000.0).fit(in_parts(X, y, weight.astype(dtype)))
    expected = made(kind, delta=2000.0).fit(X.astype(float), y.astype(float), sample_weight=weight)
    assert_same(found, expected, 1e-3 if dtype == "float32" else 1e-6)
    assert found.coef_.dtype == dtype


@pytest.mark.parametrize("kind", ["least_squares", 2, 3])
def test_extreme_units_of_columns(kind):
    X, z, _ = table()
    y, units = targets(kind, z), 2.0 ** np.array([-200, 150, 0, 300, -250])
    options = {"standardize": True, "alpha": 0.1} if isinstance(kind, int) else {}
    found, expected = made(kind, **options).fit(in_parts(X * units, y)), made(kind, **options).fit(X, y)
    np.testing.assert_allclose(found.coef_ * units, expected.coef_, rtol=1e-6)


def test_a_far_sparse_column_is_refused():
    X, z, _ = table()
    X = sp.csr_array((X + 5000.0).astype(np.float32))
    with pytest.raises(ValueError, match=r"^X must have columns whose means are at most 200 deviations from zero"):
        st.LinearRegressor().fit(in_parts(X, z.astype(np.float32)))


@each_kind
def test_a_warm_start_goes_on(kind):
    X, z, weight = table()
    y = targets(kind, z)
    parts, options = in_parts(X, y, weight), {"alpha": 0.1, "standardize": True, "warm_start": True}
    model = made(kind, **options).fit(parts)
    again = model.coef_.copy()
    model.fit(parts)
    assert model.n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, again, rtol=1e-6)
    with pytest.raises(ValueError, match="X must have 5 columns as in the last fit"):
        model.fit(in_parts(X[:, :4].copy(), y))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("zeroed", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("absent", [[7.0], [-3.0], [2.0, 7.0]], ids=str)
def test_classes_without_weight_are_left_out(absent, zeroed, intercept):
    X, z, _ = table()
    y = targets(3, z)
    weight = np.where(np.isin(y, absent), 0.0, 1.0) if zeroed == "sample_weight" else None
    options = {"class_weight": dict.fromkeys(absent, 0.0)} if zeroed == "class_weight" else {}
    options |= {"alpha": 0.1, "fit_intercept": intercept}
    found = st.LogisticClassifier(**options).fit(in_parts(X, y, weight))
    expected = st.LogisticClassifier(**options).fit(X, y, sample_weight=weight)
    assert_same(found, expected, 1e-6)
    assert set(found.predict(in_parts(X, y))).isdisjoint(absent) == intercept or not intercept


@each_kind
def test_a_validation_set_is_in_parts_or_not(kind):
    X, z, _ = table()
    X_val, z_val, _ = table(seed=5, n=120)
    y, y_val, options = targets(kind, z), targets(kind, z_val)[:120], {"early_stopping": True, "alpha": 0.01}
    expected = made(kind, **options).fit(X, y, X_val=X_val, y_val=y_val)
    by_arrays = made(kind, **options).fit(in_parts(X, y), X_val=X_val, y_val=y_val)
    by_parts = made(kind, **options).fit(in_parts(X, y), X_val=in_parts(X_val, y_val, cuts=[0, 50, 120]))
    for found in (by_arrays, by_parts):
        np.testing.assert_allclose(found.history_["validation_loss"][0], expected.history_["validation_loss"][0])
        least = min(expected.history_["validation_loss"])
        np.testing.assert_allclose(min(found.history_["validation_loss"]), least, rtol=5e-3)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@each_kind
def test_early_stopping_holds_out_rows_of_every_part(kind, weighted):
    """The validation loss of the fitted model is that over the held-out rows, found again by their weight of 0."""
    X, z, weight = table()
    y, weight = targets(kind, z), weight if weighted else None
    seen = []
    options = {"early_stopping": True, "validation_fraction": 0.25, "random_state": 2, "alpha": 0.1}
    model = made(kind, **options, callbacks=lambda progress: seen.append(progress.validation_loss)).fit(
        in_parts(X, y, weight)
    )
    assert len(seen) == len(model.history_["validation_loss"])
    held = np.zeros(N, bool)
    random = np.random.RandomState(2)
    seed = random.randint(np.iinfo(np.int32).max)
    for index, (a, b) in enumerate(itertools.pairwise(CUTS)):
        drawn = np.random.default_rng((seed, index))
        held[a + drawn.permutation(b - a)[: int(0.25 * (b - a) + drawn.random())]] = True
    assert 0.2 * N < held.sum() < 0.3 * N
    counts = np.ones(N) if weight is None else weight
    losses = {"least_squares": st.LeastSquares, "huber": st.Huber, "poisson": st.Poisson, 2: st.Logistic}
    labels = np.searchsorted(LABELS, y).astype(float) if isinstance(kind, int) else y
    w = np.column_stack([np.atleast_2d(model.coef_), np.ravel(model.intercept_)])
    loss = losses[kind](X[held], labels[held], sample_weight=counts[held]) if kind != 3 else None
    if loss is None:
        loss = st.Softmax(X[held], labels[held], sample_weight=counts[held], n_classes=3)
    assert min(seen) == pytest.approx(loss.value(w if kind == 3 else w.ravel()), rel=1e-6)


@each_kind
def test_analyses_work_over_parts(kind):
    """Curvature, Taylor model and finder of objectives, as over the whole arrays."""
    X, z, weight = table()
    y = np.searchsorted(LABELS, targets(kind, z)).astype(float) if isinstance(kind, int) else targets(kind, z)
    losses = {"least_squares": st.LeastSquares, "huber": st.Huber, "poisson": st.Poisson, 2: st.Logistic, 3: st.Softmax}
    parts, dense = losses[kind](in_parts(X, y, weight), alpha=0.1), losses[kind](X, y, sample_weight=weight, alpha=0.1)
    w = np.linspace(-0.1, 0.1, dense.n_parameters)
    for method in ("dense", "lanczos"):
        found, expected = (st.curvature(each, w, method=method) for each in (parts, dense))
        np.testing.assert_allclose(found.eigenvalues[[0, -1]], expected.eigenvalues[[0, -1]], rtol=1e-6, atol=1e-12)
    models = [st.taylor(each, w) for each in (parts, dense)]
    np.testing.assert_allclose(models[0](w + 0.01), models[1](w + 0.01), rtol=1e-9)
    rates = [st.find_learning_rate(each, st.Adam(), random_state=0).suggestion for each in (parts, dense)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)
