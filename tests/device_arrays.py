"""Arrays of a device as other libraries would show them."""

from __future__ import annotations

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
