"""Features side by side, dense or sparse: the same numbers, and the same statistics, whichever matrix holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from real_tables import table
from steepest.cli.assembly import OneHot, assembled, column_moments, is_sparse, moments, sparse_of, suits_sparse
from steepest.cli.encoding import TableEncoder
from steepest.cli.tables import TableError
from steepest.inference.coefficient_errors import standard_errors

ROWS = 2000


def blocks() -> list[Any]:
    """Numbers, a category of 300 levels with its baseline, and a constant column."""
    rng = np.random.default_rng(0)
    numbers = np.where(rng.random((ROWS, 2)) < 0.5, rng.normal(5, 2, (ROWS, 2)), 0.0)
    return [numbers, OneHot(rng.integers(0, 300, ROWS), 299), np.full((ROWS, 1), 7.3)]


def as_dense() -> Any:
    return np.hstack([block.toarray() if isinstance(block, OneHot) else block for block in blocks()])


def test_blocks_side_by_side() -> None:
    X = assembled(blocks(), ROWS)
    assert X.format == "csr"
    assert X.has_canonical_format
    assert (X.data != 0).all()
    np.testing.assert_array_equal(X.toarray(), as_dense())
    few = assembled(blocks()[::2], ROWS)
    assert isinstance(few, np.ndarray)
    np.testing.assert_array_equal(few, np.hstack(blocks()[::2]))


@pytest.mark.parametrize(
    ("rows", "features", "nonzeros", "sparse"),
    [
        (100, 201, 2010, True),
        (100, 201, 2011, False),  # more than a tenth
        (100, 200, 100, False),  # few features
        (2**20, 128, 2**20, False),  # 1 GiB of float64
        (2**20 + 1, 128, 2**20, True),
    ],
)
def test_which_matrices_are_sparse(rows: int, features: int, nonzeros: int, sparse: bool) -> None:
    assert suits_sparse(rows, features, nonzeros) is sparse


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_columns(weighted: bool) -> None:
    """NumPy's means and deviations; exactly none for a constant, whatever the weights."""
    weight = np.random.default_rng(1).random(ROWS) if weighted else None
    X, D = sparse_of(blocks(), ROWS, 302), as_dense()
    mean = np.average(D, axis=0, weights=weight)
    deviation = np.sqrt(np.average((D - mean) ** 2, axis=0, weights=weight))
    for found in (moments(X, weight), column_moments(D, weight), column_moments(X, weight)):
        np.testing.assert_allclose(found[0], mean, rtol=1e-12)
        np.testing.assert_allclose(found[1], deviation, rtol=1e-12, atol=1e-12)
        assert found[1][-1] == 0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["logistic", "softmax", "least-squares", "poisson"])
def test_standard_errors_of_a_sparse_matrix_are_those_of_the_dense_one(loss: str, weighted: bool) -> None:
    rng = np.random.default_rng(2)
    weight = rng.random(ROWS) if weighted else None
    y = rng.integers(0, {"logistic": 2, "softmax": 3}.get(loss, 9), ROWS).astype(float)
    k = 3 if loss == "softmax" else 1
    parameters = rng.normal(size=(k, 302)) * 0.1, rng.normal(size=k)
    sparse, dense = (
        standard_errors(loss, X, y, weight, *parameters, column_moments(X, weight), 1e-3, standardized=True)
        for X in (sparse_of(blocks(), ROWS, 302), as_dense())
    )
    assert np.isnan(sparse.coefficients[:, -1]).all()  # of the constant
    np.testing.assert_allclose(sparse.coefficients, dense.coefficients, rtol=1e-9)
    np.testing.assert_allclose(sparse.intercepts, dense.intercepts, rtol=1e-9)


def test_a_category_of_many_levels_becomes_sparse() -> None:
    """The tail numbers of 4,000 flights, beside scikit-learn's one-hot columns of them."""
    frame = table("flights")[["distance", "tailnum", "dest"]].dropna()
    encoder = TableEncoder().fit(frame)
    X = encoder.transform(frame)
    assert is_sparse(X)
    levels = frame["tailnum"].nunique()
    assert encoder.notes_ == (
        [f"column 'tailnum' has {levels:,} levels, each of them a feature; --drop 'tailnum' leaves it out"]
    )
    wanted = OneHotEncoder(drop="first").fit_transform(frame[["tailnum", "dest"]])
    np.testing.assert_array_equal(X[:, [0]].toarray()[:, 0], frame["distance"])
    assert abs(X[:, 1:] - wanted).max() == 0
    assert list(encoder.get_feature_names_out()[[0, -1]]) == ["distance", f"dest={frame['dest'].max()}"]
    few = encoder.transform(frame.iloc[:3])
    assert is_sparse(few)
    np.testing.assert_array_equal(few.toarray(), X[:3].toarray())


def test_numbers_with_a_few_texts_are_no_category_of_many_levels() -> None:
    frame = pd.DataFrame({"a": [*map(str, range(1500)), "unknown"] * 2})
    with pytest.raises(TableError, match="1,501 levels; expected at most 1,000; besides numbers it holds 'unknown'"):
        TableEncoder().fit(frame)
