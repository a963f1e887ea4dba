"""Arrays of a device as other libraries would show them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from steepest.arrays.device import DeviceArray


class Interface:
    """An array with __cuda_array_interface__ and nothing else."""

    def __init__(self, array, *, read_only=False, **more):
        self.array, self.dtype = array, getattr(array, "dtype", None)
        typestr = "<V2" if self.dtype is not None and self.dtype.kind == "V" else np.dtype(self.dtype).str
        shown = {"shape": array.shape, "typestr": typestr, "data": (array.pointer, read_only), "version": 3}
        self.__cuda_array_interface__ = {**shown, **more}


class OnlyDLPack:
    """An array with DLPack's two methods and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)


def on_device(array, order="C", number=0):
    """A copy of a NumPy array on a device, in that order."""
    if order == "C":
        return DeviceArray.from_numpy(array, number)
    turned = DeviceArray.from_numpy(array.T, number)
    strides = tuple(array.dtype.itemsize * n for n in (1, array.shape[0]))
    return Interface(turned, shape=array.shape, strides=strides)


def integers_on_device(array):
    """A copy of a vector of int32 or int64 on a device."""
    bits = array.view(f"f{array.itemsize}")
    return Interface(DeviceArray.from_numpy(bits), typestr=array.dtype.str)


def csr_on_device(X, indices=None, indptr=None):
    """A copy of a CSR matrix on a device, with indices and indptr of these dtypes."""
    return SimpleNamespace(
        data=on_device(X.data),
        indices=integers_on_device(X.indices.astype(indices or X.indices.dtype)),
        indptr=integers_on_device(X.indptr.astype(indptr or X.indptr.dtype)),
        shape=X.shape,
    )
