"""Every bad argument of objectives of sparse rows on a device, and what these cannot do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st
from device_arrays import Interface, csr_on_device, integers_on_device, on_device
from test_cuda_sparse import rows_of


def test_what_a_device_cannot_do_is_said(cuda):
    X = rows_of(40, 5)
    there, y = csr_on_device(X), on_device(np.round(np.abs(np.sin(np.arange(40.0)))))
    objective, w = st.Logistic(there, y), on_device(np.zeros(6))
    ones = np.ones(5)
    for call, error, told in (
        (lambda: objective.hessian(w), NotImplementedError, "use hessian_product, or make .* in the host's memory"),
        (lambda: st.Logistic(there, y, centre=ones, scale=ones), NotImplementedError, "centre and scale are not"),
        (lambda: st.Softmax(there, y), NotImplementedError, "Softmax is not implemented for sparse rows on a CUDA"),
        (lambda: st.minimize(objective, batch_size=8), ValueError, "got Logistic of sparse rows in .*batch_size=None"),
        (lambda: st.minimize(objective, starts=3), NotImplementedError, "several starts"),
    ):
        with pytest.raises(error, match=told):
            call()


MEMBERS = {"data": np.ones(2), "indices": np.array([0, 2]), "indptr": np.array([0, 1, 2]), "shape": (2, 3)}
BAD = {
    "an index too large": (
        {"indices": np.array([0, 5], np.int32)}, ValueError, "indices must be from 0 to 2, got 5 in row 1"
    ),
    "an index below 0": ({"indices": np.array([-1, 1])}, ValueError, "indices must be from 0 to 2, got -1 in row 0"),
    "indptr that falls": (
        {"indptr": np.array([0, 2, 1], np.int32)}, ValueError, "indptr must rise from 0 .*, got 2 and then 1 at row 1"
    ),
    "indptr below 0": ({"indptr": np.array([0, -1, 1])}, ValueError, "indptr must rise .* got 0 and then -1 at row 0"),
    "indptr beyond the end": (
        {"indptr": np.array([0, 1, 3])}, ValueError, "at most the 2 indices, got 1 and then 3 at row 1"
    ),
    "indptr that begins later": ({"indptr": np.array([1, 1, 2])}, ValueError, "indptr must begin with 0, got 1"),
    "indptr too short": ({"indptr": np.array([0, 2])}, ValueError, "indptr of X must have 3 elements"),
    "data too long": ({"data": np.ones(3)}, ValueError, "data of X must be as long as its indices, got 3 and 2"),
    "data of 16 bits": (
        {"data": np.ones(2, np.float16)}, TypeError, r"float32 or float64 .*float16 .*X.astype\(np.float32\)"
    ),
    "indptr of floats": ({"indptr": np.array([0.0, 1.0, 2.0])}, TypeError, "indptr .* int32 or int64 .* got float64"),
    "no columns": ({"shape": (2, 0)}, ValueError, r"at least one row and one column, got shape \(2, 0\)"),
}  # fmt: skip


def put(array):
    return integers_on_device(array) if array.dtype.kind == "i" else on_device(array)


@pytest.mark.parametrize("case", BAD)
def test_arrays_that_are_no_matrix(cuda, case):
    change, error, told = BAD[case]
    arrays = {**MEMBERS, **change}
    there = {name: put(array) if isinstance(array, np.ndarray) else array for name, array in arrays.items()}
    with pytest.raises(error, match=told):
        st.LeastSquares(SimpleNamespace(**there), on_device(np.ones(2)))


def test_entries_behind_the_last_row_are_none(cuda):
    arrays = {"data": np.array([2.0, 3.0, 1e300]), "indices": np.array([0, 2, 99]), "indptr": MEMBERS["indptr"]}
    X = SimpleNamespace(**{name: put(array) for name, array in arrays.items()}, shape=(2, 3))
    gradient = st.LeastSquares(X, on_device(np.ones(2)), intercept=False).gradient(on_device(np.zeros(3)))
    np.testing.assert_array_equal(gradient.numpy(), [-2.0, 0.0, -3.0])


def test_arrays_in_other_places_are_named(cuda):
    X, y = csr_on_device(rows_of(40, 5)), np.ones(40)
    with pytest.raises(ValueError, match=r"^y must be in the memory of CUDA device 0"):
        st.LeastSquares(X, y)
    with pytest.raises(ValueError, match=r"^indices of X must be in the memory of CUDA device 0, where its data are"):
        st.LeastSquares(SimpleNamespace(**{**vars(X), "indices": np.zeros(3, np.int32)}), on_device(y))
    with pytest.raises(TypeError, match=r"^data of X must be a NumPy array"):
        st.LeastSquares(SimpleNamespace(**{**vars(X), "data": np.ones(3).tolist()}), on_device(y))
    with pytest.raises(ValueError, match=r"^w must be in the memory of CUDA device 0"):
        st.LeastSquares(X, on_device(y)).value(np.zeros(6))


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_memory_that_was_freed_is_named(cuda, name):
    X = csr_on_device(rows_of(40, 5))
    array = getattr(X, name).array if isinstance(getattr(X, name), Interface) else getattr(X, name)
    n_bytes = array.nbytes
    buffer = cuda.Buffer(n_bytes, 0)
    cuda.copy(array.pointer, buffer.pointer, n_bytes, 0, 1)
    typestr = getattr(X, name).__cuda_array_interface__["typestr"]
    moved = SimpleNamespace(pointer=buffer.pointer, shape=array.shape, dtype=array.dtype)
    setattr(X, name, Interface(moved, typestr=typestr))
    objective, w = st.LeastSquares(X, on_device(np.ones(40))), on_device(np.zeros(6))
    objective.value(w)
    buffer.free()
    with pytest.raises(ValueError, match=rf"^{name} of X must be memory of CUDA device 0, got .*freed"):
        objective.value_and_gradient(w)


def test_other_formats_and_tensors_are_refused(cuda):
    there = csr_on_device(rows_of(40, 5))
    other = SimpleNamespace(**vars(there), format="csc", tocsr=None)
    with pytest.raises(TypeError, match=r"must be a CSR matrix .* in csc format; convert it with X.tocsr\(\)"):
        st.LeastSquares(other, on_device(np.ones(40)))
    tensor = SimpleNamespace(layout="torch.sparse_csr", is_cuda=True)
    with pytest.raises(TypeError, match=r"\(data=X.values\(\), indices=X.col_indices\(\), indptr=X.crow"):
        st.LeastSquares(tensor, on_device(np.ones(40)))
    tensor = SimpleNamespace(layout="torch.sparse_coo", is_cuda=False)
    with pytest.raises(TypeError, match=r"use T = X.to_sparse_csr\(\); .*indices=T.col_indices\(\).numpy\(\)"):
        st.LeastSquares(tensor, np.ones(40))
