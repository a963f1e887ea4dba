"""Fits of little data take few calls: scikit-learn's checks only where they may find something, one thread, few passes.

Searches and bagging make thousands of such fits. What is kept from one fit to the next must not change any.
"""

from __future__ import annotations

import collections
import gc
import inspect
import pickle
import sys
import warnings

import numpy as np
import pytest

import steepest as st
from interpreter import python
from steepest.arrays.norm import norm_of
from steepest.descent import run
from steepest.descent.arguments import seed_of
from steepest.estimators import columns

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris  # noqa: E402
from sklearn.utils import validation  # noqa: E402

FITS = {
    "cancer": (st.LogisticClassifier, load_breast_cancer(return_X_y=True)),
    "iris": (st.LogisticClassifier, load_iris(return_X_y=True)),
    "diabetes": (st.LinearRegressor, load_diabetes(return_X_y=True)),
}


def counted(monkeypatch, place, name):
    """Count the calls of a function from here on."""
    right, calls = getattr(place, name), []
    monkeypatch.setattr(place, name, lambda *given, **options: (calls.append(given), right(*given, **options))[1])
    return calls


def native_calls(call):
    """Return how often a call calls each function of the native module."""
    found = collections.Counter()

    def note(frame, event, function):
        if event == "c_call" and (function.__module__ or "").startswith("steepest._core"):
            found[function.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize("name", FITS)
def test_plain_arrays_need_no_check_of_scikit_learn(name, monkeypatch):
    """Lists do, for they may hold anything. Both end at the same bits and attributes."""
    model, (X, y) = FITS[name]
    calls = counted(monkeypatch, validation, "check_array")
    plain = model().fit(X, y)
    assert not calls
    listed = model().fit(X.tolist(), y.tolist())
    assert len(calls) >= 2
    assert plain.n_features_in_ == listed.n_features_in_ == X.shape[1]
    assert list(vars(plain)) == list(vars(listed))
    np.testing.assert_array_equal(plain.coef_, listed.coef_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X[0], y), "2D array"),
        (lambda X, y: (X, np.where(np.arange(len(y)) == 3, np.nan, y)), "got nan in row 3"),
        (lambda X, y: (np.where(np.arange(X.size).reshape(X.shape) == 12, np.inf, X), y), "got inf in row 1"),
        (lambda X, y: (X, y * 1j), "[Cc]omplex"),
    ],
)
def test_what_the_checks_find_in_arrays_is_still_told(change, message):
    model, data = FITS["diabetes"]
    with pytest.raises(ValueError, match=message):
        model().fit(*change(*data))


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    found = memory[1:].view(array.dtype).reshape(array.shape)
    found[:] = array
    return found


ROWS, TARGETS = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40.0) % 7
CALLS = {
    "plain": (ROWS, TARGETS),
    "float32": (ROWS.astype(np.float32), TARGETS),
    "integer targets": (ROWS, TARGETS.astype(int)),
    "flags": (ROWS, TARGETS > 3),
    "text": (ROWS, TARGETS.astype(str)),
    "F order": (np.asfortranarray(ROWS), TARGETS),
    "backwards": (ROWS[::-1], TARGETS[::-1]),
    "unaligned": (unaligned(ROWS), unaligned(TARGETS)),
    "one row": (ROWS[:1], TARGETS[:1]),
    "no rows": (ROWS[:0], TARGETS[:0]),
    "no columns": (ROWS[:, :0], TARGETS),
    "one dimension": (ROWS[:, 0], TARGETS),
    "a column of targets": (ROWS, TARGETS[:, None]),
    "two columns of targets": (ROWS, np.column_stack([TARGETS, TARGETS])),
    "too few targets": (ROWS, TARGETS[1:]),
    "nan in X": (np.where(ROWS[4, 1] == ROWS, np.nan, ROWS), TARGETS),
    "numbers whose sum overflows": (np.full((40, 3), 1e308), TARGETS),
    "infinity in y": (ROWS, np.where(TARGETS == 3, np.inf, TARGETS)),
    "complex targets": (ROWS, TARGETS * 1j),
    "integers": ((100 * ROWS).astype(int), TARGETS),
    "big-endian": (ROWS.astype(">f8"), TARGETS.astype(">f8")),
    "objects": (ROWS.astype(object), TARGETS.astype(object)),
    "a masked array": (np.ma.masked_array(ROWS, np.zeros(ROWS.shape, bool)), TARGETS),
    "lists": (ROWS.tolist(), TARGETS.tolist()),
    "no targets": (ROWS, None),
    "dates": (ROWS, TARGETS.astype("datetime64[D]")),
}


def outcome(model, call):
    """What a call leaves: all attributes, or the error; and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = call()
        except Exception as error:
            found = type(error), str(error)
    names = [name for name in vars(model) if name not in ("history_", "_online")]
    return (
        pickle.dumps(found if found is not model else 0),
        [(name, repr(vars(model)[name])) for name in names],
        [(each.category, str(each.message)) for each in caught],
    )


@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
def test_a_fit_and_a_prediction_end_as_with_all_checks(kind, case, monkeypatch):
    given, known = CALLS[case], kind().fit(ROWS, TARGETS)

    def outcomes():
        model = kind()
        fitted = outcome(model, lambda: model.fit(*given))
        return fitted, outcome(known, lambda: known.predict(given[0])), outcome(model, lambda: model.fit(ROWS, TARGETS))

    found = outcomes()
    for name in ("_are_plain", "_is_plain"):
        monkeypatch.setattr(columns, name, lambda *arguments: False)
    assert outcomes() == found


WEIGHTS = {
    "plain": TARGETS,
    "integers": TARGETS.astype(int),
    "float32": TARGETS.astype(np.float32),
    "backwards": TARGETS[::-1],
    "unaligned": unaligned(TARGETS),
    "zeros": np.zeros(40),
    "negative": TARGETS - 1,
    "nan": np.where(TARGETS == 3, np.nan, TARGETS),
    "huge": np.full(40, 1e308),
    "too few": TARGETS[1:],
    "a column": TARGETS[:, None],
    "a number": 2.0,
    "a list": TARGETS.tolist(),
    "text": TARGETS.astype(str),
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
def test_weights_end_as_with_all_checks(kind, case, monkeypatch):
    def found():
        model = kind()
        return outcome(model, lambda: model.fit(ROWS, TARGETS, WEIGHTS[case]))

    short = found()
    monkeypatch.setattr(columns, "_is_finite", lambda array: False)
    assert found() == short


def test_a_fit_to_arrays_forgets_the_names_of_a_data_frame():
    pandas = pytest.importorskip("pandas")
    model, (X, y) = FITS["diabetes"]
    fitted = model().fit(pandas.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])]), y)
    assert list(fitted.feature_names_in_[:2]) == ["c0", "c1"]
    assert not hasattr(fitted.fit(X, y), "feature_names_in_")


def test_the_names_of_parameters_are_looked_up_once_for_each_class(monkeypatch):
    """A class with an ``__init__`` of its own has its own names; so has one whose ``__init__`` is replaced."""

    class Fewer(st.LogisticClassifier):
        def __init__(self, alpha=0.5, max_iter=7):
            super().__init__(alpha=alpha, max_iter=max_iter)

    expected = sorted(set(inspect.signature(st.LogisticClassifier).parameters))
    assert sorted(st.LogisticClassifier(alpha=2.0).get_params()) == expected
    assert sorted(Fewer.__mro__[1]().get_params()) == expected
    assert Fewer._get_param_names() == ["alpha", "max_iter"]
    st.LogisticClassifier._get_param_names().clear()  # a copy
    calls = counted(monkeypatch, inspect, "signature")
    model = clone(st.LogisticClassifier(alpha=2.0))
    assert (model.alpha, model.max_iter) == (2.0, 1000)
    assert not calls


@pytest.mark.parametrize(("name", "passes", "hessians"), [("cancer", 14, 6), ("iris", 13, 6), ("diabetes", 4, 1)])
def test_a_fit_takes_few_passes(name, passes, hessians):
    """As many as steps, and a few: the start gives the first Hessian too, and what is known is not evaluated again."""
    model, data = FITS[name]
    calls = native_calls(lambda: model().fit(*data))
    assert 0 < calls["value_and_gradient"] + calls["value_gradient_and_hessian"] <= passes
    assert calls["hessian"] <= hessians
    assert calls["value"] == 0
    assert calls["dense_source"] == 1


@pytest.mark.parametrize("name", FITS)
def test_a_fit_makes_no_tags_and_leaves_nothing_to_the_collector(name, monkeypatch):
    """An estimator's tags take long. What refers to itself keeps the data in memory until the collector comes."""
    model, data = FITS[name]
    tags = counted(monkeypatch, model, "__sklearn_tags__")
    model().fit(*data)
    gc.collect()
    gc.disable()
    try:
        model().fit(*data)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert not tags


ALONE = """
from pathlib import Path
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_diabetes
import steepest as st

def threads():
    return len(list(Path("/proc/self/task").iterdir()))

data = [load(return_X_y=True) for load in (load_breast_cancer, load_iris, load_diabetes)]
before = threads()
st.threads(4)
for model, (X, y) in zip((st.LogisticClassifier, st.LogisticClassifier, st.LinearRegressor), data):
    model().fit(X, y)
print(threads() - before)
st.LeastSquares(X.repeat(400, axis=0), y.repeat(400)).value(np.zeros(11))
print(threads() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no list of threads")
def test_fits_of_little_data_wake_no_other_thread():
    """No helping thread is ever made for them; a pass over more rows makes three."""
    done = python(ALONE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "3"]


def test_a_seed_that_is_kept_is_the_one_that_a_generator_draws():
    for seed in (0, 1, 2**40, 2**70):
        expected = int(np.random.default_rng(seed).integers(2**64, dtype=np.uint64))
        assert [seed_of(seed), seed_of(seed), seed_of(np.random.default_rng(seed))] == [expected] * 3
    for wrong in (-1, 1.5, "1"):
        for _ in range(2):
            with pytest.raises(ValueError, match="random_state must be None, an integer of at least 0"):
                seed_of(wrong)


def test_the_change_of_parameters_is_measured_for_those_who_may_read_it(monkeypatch):
    """Rules of users may: also one that is derived from a rule that does not."""
    calls, seen, told = counted(monkeypatch, run, "norm_of"), [], []
    X, y = FITS["diabetes"][1]
    objective = st.Huber(X, y, alpha=1e-3)

    class Own(st.stop.GradientNorm):
        def __call__(self, progress):
            seen.append(progress.parameter_change)
            return super().__call__(progress)

    alone = st.minimize(objective, stop=[st.stop.GradientNorm(1e-8)])
    assert not calls
    assert st.minimize(objective, stop=[Own(1e-8)]).history["loss"].tolist() == alone.history["loss"].tolist()
    st.minimize(objective, stop=[st.stop.GradientNorm(1e-8)], callbacks=lambda p: told.append(p.parameter_change))
    assert told == seen
    assert len(seen) == len(alone.history["loss"]) > 3
    assert seen[0] is None
    assert all(change > 0.0 for change in seen[1:])
    assert st.minimize(objective, stop=[st.stop.ParameterChange(0.5 * seen[1])]).stop_reason == "ParameterChange"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_norm_has_the_bits_of_numpys_norm_of_scaled_numbers(dtype):
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 7, 31, 100, 1000):
        for scale in (0.0, 1e-40, 1.0, 1e30):
            v = (scale * rng.standard_normal(size)).astype(dtype)
            exponent = int(np.frexp(np.abs(v).max(initial=0.0))[1])
            expected = float(np.linalg.norm(np.ldexp(v.astype(np.float64), -exponent))) * 2.0**exponent
            assert norm_of(v) == norm_of(v.reshape(1, -1)) == expected
