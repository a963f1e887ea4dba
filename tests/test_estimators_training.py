"""What happens in a fit of the estimators: optimizers, early stopping, warm starts, partial_fit, callbacks, weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import steepest as st
from linear_models import assert_same, blobs
from steepest.optimizers.names import OPTIMIZERS

X, TARGET, LABEL = blobs()
each_kind = pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])


def targets(make):
    return TARGET if make is st.LinearRegressor else LABEL


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("options", [{}, {"batch_size": 50}], ids=str)
@each_kind
def test_every_optimizer_by_name_comes_near(make, name, options):
    y = targets(make)
    model = make(name, alpha=0.1, standardize=True, max_iter=300, tol=0.0, random_state=0, **options).fit(X, y)
    best = make(alpha=0.1, standardize=True).fit(X, y)
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * scale, best.coef_ * scale, atol=0.05)
    assert model.stop_reason_ == "max_epochs"
    assert model.n_iter_ == 300


@each_kind
def test_an_optimizer_instance_is_copied(make):
    optimizer = st.Momentum("auto")
    model = make(optimizer, alpha=0.1).fit(X, targets(make))
    assert optimizer.n_steps == 0
    assert model.optimizer is optimizer
    assert_same(model, make(alpha=0.1).fit(X, targets(make)), 1e-6)


@pytest.mark.filterwarnings("ignore:The fit has learned nothing")  # in four passes
def test_a_schedule_sets_the_rate():
    model = st.LinearRegressor("gradient-descent", learning_rate=st.schedules.StepDecay(0.05, 0.5, 2), max_iter=4)
    model.fit(X, TARGET)
    assert model.history_["learning_rate"][1:] == pytest.approx([0.05, 0.05, 0.025, 0.025])


@each_kind
def test_the_seed_decides_the_run(make):
    y = targets(make)
    one, same, other = (make("adam", batch_size=16, max_iter=3, random_state=seed).fit(X, y) for seed in (1, 1, 2))
    assert np.array_equal(one.coef_, same.coef_)
    assert not np.array_equal(one.coef_, other.coef_)


class Losses:
    """Early stopping by hand: the validation loss of the parameters of every pass."""

    def __init__(self, objective):
        self.objective, self.seen = objective, []

    def __call__(self, progress):
        self.seen.append((self.objective.value(progress.w), progress.w))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_validation_set_keeps_the_best_parameters(early_stopping):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 30)), rng.integers(0, 2, 40)
    X_val, y_val = rng.standard_normal((100, 30)), rng.integers(0, 2, 100)
    losses = Losses(st.Logistic(X_val, y_val.astype(float)))
    options = {"alpha": 0.0, "early_stopping": early_stopping, "n_iter_no_change": 3, "callbacks": losses}
    model = st.LogisticClassifier("gradient-descent", learning_rate=0.1, max_iter=60, tol=0.0, **options)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    best = int(np.argmin([loss for loss, _ in losses.seen]))
    np.testing.assert_array_equal(np.append(model.coef_, model.intercept_), losses.seen[best][1])
    np.testing.assert_allclose(model.history_["validation_loss"], [loss for loss, _ in losses.seen], rtol=1e-12)
    assert model.n_iter_ == (best + 3 if early_stopping else 60)
    assert model.stop_reason_ == ("NoImprovement" if early_stopping else "max_epochs")


def test_early_stopping_holds_out_its_share_of_every_class():
    y = np.repeat([0, 1, 1, 1], 100)
    seen = []

    class Watched(st.LogisticClassifier):
        def _training(self, settings):
            training = super()._training(settings)
            fit = training.fit
            training.fit = lambda rows, held_out, *rest: seen.extend([rows, held_out]) or fit(rows, held_out, *rest)
            return training

    model = Watched(early_stopping=True, validation_fraction=0.2, standardize=True, random_state=0).fit(X, y)
    rows, held_out = seen
    assert np.bincount(held_out.y.astype(int)).tolist() == [20, 60]
    assert rows.loss_weight.sum() == 320
    training = rows.loss_weight > 0
    held = {tuple(row) for row in held_out.X}
    assert held.isdisjoint({tuple(row) for row in X[training]})
    same = st.LogisticClassifier(early_stopping=True, standardize=True)
    same.fit(X[training], y[training], X_val=held_out.X, y_val=held_out.y)
    assert_same(model, same, 1e-6)


@each_kind
@pytest.mark.parametrize("standardize", [False, True])
def test_warm_start_goes_on_from_the_last_fit(make, standardize):
    y = targets(make)
    model = make(alpha=0.1, warm_start=True, standardize=standardize).fit(X, y)
    before = model.coef_.copy()
    assert model.n_iter_ > 0
    model.fit(X, y)
    assert model.n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, before, rtol=1e-6)
    cold = make(alpha=0.1, standardize=standardize).fit(X, y).fit(X, y)
    assert cold.history_["loss"][0] > model.history_["loss"][0]


@each_kind
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"optimizer": "adagrad"}], ids=str)
def test_partial_fit_learns_from_rows_as_they_come(make, options):
    y, model = targets(make), make(random_state=0, **options)
    first = {"classes": [0, 1]} if make is st.LogisticClassifier else {}
    for _ in range(60):
        for rows in np.array_split(np.arange(len(y)), 5):
            model.partial_fit(X[rows], y[rows], **first)
    assert model.n_iter_ == 300
    assert model.score(X, y) > make().fit(X, y).score(X, y) - 0.05


def test_partial_fit_takes_one_step_a_row_and_keeps_the_optimizers_state():
    model = st.LinearRegressor(st.Adam(0.1), fit_intercept=False, batch_size=1)
    w, adam = np.zeros(X.shape[1]), st.Adam(0.1)
    for i in range(20):
        model.partial_fit(X[i : i + 1], TARGET[i : i + 1])
        adam.step(w, 2 * (X[i] @ w - TARGET[i]) * X[i])
    np.testing.assert_allclose(model.coef_, w, rtol=1e-10)


def test_partial_fit_goes_on_after_fit_and_standardises_by_all_rows_so_far():
    whole = st.LinearRegressor("gradient-descent", standardize=True).fit(X[:300], TARGET[:300])
    before = whole.coef_.copy()
    whole.set_params(learning_rate=1e-12).partial_fit(X[300:], TARGET[300:])
    np.testing.assert_allclose(whole.coef_, before, rtol=1e-6)
    np.testing.assert_allclose(whole._online.columns.mean, X.mean(axis=0))
    np.testing.assert_allclose(whole._online.columns.deviation, X.std(axis=0))


def test_class_weights_are_weights_of_rows():
    weights = {0: 3.0, 1: 0.5}
    by_class = st.LogisticClassifier(class_weight=weights).fit(X, LABEL)
    assert_same(by_class, st.LogisticClassifier().fit(X, LABEL, sample_weight=np.where(LABEL == 0, 3.0, 0.5)), 1e-7)
    shares = {label: len(LABEL) / (2 * np.sum(label == LABEL)) for label in (0, 1)}
    balanced = st.LogisticClassifier(class_weight="balanced").fit(X, LABEL)
    assert_same(balanced, st.LogisticClassifier(class_weight=shares).fit(X, LABEL), 1e-7)


def test_callbacks_see_every_pass_and_end_it():
    epochs = []
    model = st.LogisticClassifier(callbacks=[lambda progress: epochs.append(progress.epoch), lambda p: p.epoch == 2])
    model.fit(X, LABEL)
    assert epochs == [0, 1, 2]
    assert model.stop_reason_ == "callback"


def test_verbose_prints_a_line_a_pass(capsys):
    st.LinearRegressor(verbose=True, callbacks=lambda p: p.epoch == 1).fit(X, TARGET, X_val=X, y_val=TARGET)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 0: loss ")
    assert "validation loss" in second


def test_a_fit_that_is_cut_short_warns_with_the_diagnosis():
    with pytest.warns(ConvergenceWarning, match=r"has not converged to tol within max_iter=2") as caught:
        st.LinearRegressor("gradient-descent", max_iter=2).fit(X, TARGET)
    assert [each.filename for each in caught] == [__file__]
    with pytest.warns(ConvergenceWarning, match=r"diverged.*largest stable learning rate"):
        st.LinearRegressor("gradient-descent", learning_rate=1e3).fit(X, TARGET)


def test_tol_is_a_share_of_the_gradient_at_zeros_wherever_the_fit_starts():
    model = st.LinearRegressor("gradient-descent", tol=1e-3, warm_start=True).fit(X, TARGET)
    norms = model.history_["gradient_norm"]
    assert norms[-1] <= 1e-3 * norms[0] < norms[-2]
    model.fit(X, TARGET)
    assert model.n_iter_ == 0


@pytest.mark.parametrize("name", ["adam", "adagrad", "rmsprop"])
def test_a_fit_without_a_tolerance_says_that_none_judged_it(name):
    """These end at max_iter without a warning."""
    model = st.LinearRegressor(name, max_iter=20).fit(X, TARGET)
    assert (model.stop_reason_, model.converged_) == ("max_epochs", False)
    assert model.diagnosis_.startswith("not converged: the run used all its epochs (20); no tolerance judged it")
    model.set_params(optimizer="auto").fit(X, TARGET)
    assert (model.converged_, model.diagnosis_) == (True, "")
