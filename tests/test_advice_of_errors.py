"""The advice in errors about arrays works: what it says is done, and the next call succeeds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix

import steepest as st

X = np.random.default_rng(0).standard_normal((6, 2))
Y = np.array([0.0, 1, 1, 0, 1, 0])
ADVICE = re.compile(r"; .*?((?:np\.|X|y|sample_weight|w0)[\w.]*[.(].*)$")


def follow(data, name, steps=3):
    """Do what the errors about the argument say until there are none."""
    data, said = dict(data), []
    for _ in range(steps):
        try:
            w0 = {"w0": data["w0"]} if "w0" in data else {}
            st.minimize(st.Logistic(data["X"], data["y"], sample_weight=data.get("sample_weight"), alpha=0.1), **w0)
        except (TypeError, ValueError) as error:
            said.append(str(error))
            data[name] = eval(ADVICE.search(said[-1]).group(1), {"np": np, **data})
        else:
            return said
    raise AssertionError(said)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("X", coo_array(X), r"X\.tocsr\(\)$"),
        ("X", csc_array(X), r"X\.tocsr\(\)$"),
        ("X", csr_matrix(X.astype(int)), r"X\.astype\(np\.float32\)$"),
        ("X", X.tolist(), r"np\.asarray\(X\)$"),
        ("X", X.astype(str), r"X\.astype\(np\.float32\)$"),
        ("X", X.astype(complex), r"X\.real\.astype\(np\.float32\)$"),
        ("y", csr_array(Y[:, None]), r"y\.toarray\(\)\.ravel\(\)$"),
        ("y", Y[:, None], r"y\.ravel\(\)$"),
        ("y", Y[None], r"y\.ravel\(\)$"),
        ("y", np.asmatrix(Y).T, r"np\.asarray\(y\)\.ravel\(\)$"),
        ("y", np.where(Y > 0, "yes", "no"), r"np\.unique\(y, return_inverse=True\)\[1\]\.astype\(np\.float64\)$"),
        ("y", np.where(Y > 0, "yes", "no").astype(object), r"np\.unique\(y, return_inverse=True\)"),
        ("y", Y.astype(int), r"y\.astype\(np\.float64\)$"),
        ("y", Y.astype(int)[:, None], r"y\.astype\(np\.float64\)$"),
        ("y", Y.tolist(), r"np\.asarray\(y\)$"),
        ("sample_weight", np.ones((6, 1)), r"sample_weight\.ravel\(\)$"),
        ("sample_weight", csr_array(np.ones((6, 1))), r"sample_weight\.toarray\(\)\.ravel\(\)$"),
        ("w0", np.zeros((3, 1)), r"w0\.ravel\(\)$"),
    ],
)
def test_who_follows_the_advice_gets_there(name, value, advice):
    data = {"X": X, "y": Y, name: value}
    if name == "X" and getattr(value, "dtype", X.dtype) != X.dtype:
        data["y"] = Y.astype(np.float32)
    said = follow(data, name)
    assert said[0].startswith(f"{name} must be a")
    assert re.search(advice, said[0])


def test_text_in_X_is_to_be_encoded():
    table = np.array([["a", "1"]] * 6)
    for each in (table, table.astype(object)):
        with pytest.raises(TypeError, match=r"encode its text as numbers, for example with .*OneHotEncoder"):
            st.Logistic(each, Y)


def test_what_has_another_number_of_rows_is_not_to_be_flattened():
    with pytest.raises(ValueError, match=r"got float64 of shape \(5, 1\)$"):
        st.Logistic(X, Y[:5, None])
