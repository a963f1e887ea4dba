"""Later calls of `partial_fit` with plain arrays skip scikit-learn's checks: they have to end as with them."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import steepest as st
from steepest.estimators import columns

RNG = np.random.default_rng(2)
X, Y = RNG.standard_normal((12, 3)), RNG.integers(0, 2, 12)


def changed(array, value, at=0):
    array = np.array(array, np.result_type(array, value))
    array.reshape(-1)[at] = value
    return array


def unaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)[1:]
    found = buffer.view(array.dtype).reshape(array.shape)
    found[:] = array
    return found


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


CALLS = {
    "plain": (X, Y),
    "float32": (X.astype(np.float32), Y),
    "one row": (X[:1], Y[:1]),
    "integers": (np.arange(36).reshape(12, 3), Y),
    "bool targets": (X, Y == 1),
    "float targets": (X, Y.astype(float)),
    "small targets": (X, Y.astype(np.uint8)),
    "nan in X": (changed(X, np.nan), Y),
    "infinity in X": (changed(X, -np.inf), Y),
    "nan in y": (X, changed(Y, np.nan)),
    "infinity in y": (X, changed(Y, np.inf)),
    "a fraction in y": (X, changed(Y, 0.5)),
    "an unknown label": (X, changed(Y, 7)),
    "a negative label": (X, changed(Y, -1)),
    "text in y": (X, np.array(["a", "b"])[Y]),
    "numbers as text": (X, Y.astype(str)),
    "objects in y": (X, Y.astype(object)),
    "complex X": (X + 1j, Y),
    "complex y": (X, Y + 1j),
    "too few targets": (X, Y[:-1]),
    "no rows": (X[:0], Y[:0]),
    "one column too few": (X[:, :2], Y),
    "one dimension": (X[:, 0], Y),
    "three dimensions": (X[:, :, None], Y),
    "a column of targets": (X, Y[:, None]),
    "two columns of targets": (X, np.column_stack([Y, Y])),
    "F order": (np.asfortranarray(X), Y),
    "every second row": (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2)[::2]),
    "backwards": (X[::-1], Y[::-1]),
    "big-endian X": (X.astype(">f8"), Y),
    "big-endian y": (X, Y.astype(">i8")),
    "unaligned": (unaligned(X), unaligned(Y)),
    "read-only": (read_only(X), read_only(Y)),
    "a masked array": (np.ma.masked_array(X, np.zeros(X.shape, bool)), Y),
    "a matrix": (np.asmatrix(X), Y),
    "lists": (X.tolist(), Y.tolist()),
    "float16": (X.astype(np.float16), Y),
    "dates": (X, Y.astype("datetime64[D]")),
}


def outcome(model, X, y):
    """The coefficients after a call, or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.partial_fit(X, y)
        except Exception as error:
            return type(error), str(error)
    return model.coef_.tobytes(), model.intercept_.tobytes(), [(each.category, str(each.message)) for each in caught]


@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("kind", [st.LinearRegressor, st.LogisticClassifier])
def test_a_later_call_ends_as_with_all_checks(kind, case, monkeypatch):
    first = {"classes": [0, 1]} if kind is st.LogisticClassifier else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind("adam", random_state=0).partial_fit(X, Y, **first)
    twin = copy.deepcopy(model)
    fast = outcome(model, *CALLS[case])
    monkeypatch.setattr(columns, "_are_plain", lambda *arguments: False)
    assert outcome(twin, *CALLS[case]) == fast


def test_plain_arrays_take_the_short_way():
    model = st.LinearRegressor("adam").partial_fit(X, Y)
    taken = {name for name, (rows, y) in CALLS.items() if columns._are_plain(model, rows, y)}
    assert {"plain", "float32", "one row", "F order", "float targets", "backwards"} <= taken
    model.feature_names_in_ = np.array(["a", "b", "c"], object)
    assert not columns._are_plain(model, X, Y)
