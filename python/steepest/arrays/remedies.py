"""Remedies in error messages: the code to write, in the terms of the library of the array."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_array", "as_contiguous", "as_copy", "as_dtype", "as_numbers", "as_vector", "on_device", "on_host"]

_CONTIGUOUS = {
    "cupy": "cupy.ascontiguousarray({name})",
    "numba": "cupy.ascontiguousarray({name})",
    "numpy": "np.ascontiguousarray({name})",
    "torch": "{name}.contiguous()",
}
_ON_DEVICE = {
    "cupy": "cupy.asarray({name})",
    "jax": "jax.device_put({name})",
    "numba": "numba.cuda.to_device({name})",
    "torch": "{name}.to('cuda:{device}')",
}
_ON_HOST = {
    "cupy": "{name}.get()",
    "jax": "np.asarray({name})",
    "numba": "{name}.copy_to_host()",
    "torch": "{name}.cpu()",
}


def as_dtype(name: str, dtype: str, library: str) -> str:
    """Return how to convert an array to a dtype."""
    return "convert it with " + (f"{name}.to(torch.{dtype})" if library == "torch" else f"{name}.astype(np.{dtype})")


def as_array(name: str, array: Any) -> str:
    """Return how to convert to a NumPy array."""
    if hasattr(array, "__dask_graph__"):
        return "leave it on its workers with steepest.dask.parts(client, X, y)"
    if not (hasattr(array, "toarray") and hasattr(array, "nnz")):
        return f"convert it with np.asarray({name})"
    return f"convert it with {name}.toarray()" + ".ravel()" * (name != "X")  # a sparse matrix of scipy


def as_numbers(name: str, array: Any, dtype: str, library: str) -> str:
    """Return how to get numbers of a dtype from an array of another dtype."""
    kind = getattr(array.dtype, "kind", "f")
    if kind not in "OSTUmMcV" or library != "numpy":
        return as_dtype(name, dtype, library)
    if kind in "c":
        return f"take its real part: {name}.real.astype(np.{dtype})"
    if kind in "OSTU" and not _are_numbers(array):
        if name == "X":
            return "encode its text as numbers, for example with sklearn.preprocessing.OneHotEncoder"
        return f"number its labels with np.unique({name}, return_inverse=True)[1].astype(np.{dtype})"
    return as_dtype(name, dtype, library)


def _are_numbers(array: Any) -> bool:
    try:
        array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def as_vector(name: str, array: Any) -> str:
    """Return how to flatten a single column or row; "" for any other array."""
    shape = tuple(array.shape)
    if len(shape) < 2 or sum(length != 1 for length in shape) > 1:
        return ""
    flat = f"np.asarray({name}).ravel()" if isinstance(array, np.matrix) else f"{name}.ravel()"
    return f"; flatten it with {flat}"


def as_contiguous(name: str, library: str) -> str:
    """Return how to make an array contiguous."""
    return "convert it with " + _CONTIGUOUS.get(library, "{name}.copy()").format(name=name)


def as_copy(name: str, library: str) -> str:
    """Return how to copy an array to its own memory."""
    return "convert it with " + (f"{name}.clone()" if library == "torch" else f"{name}.copy()")


def on_device(name: str, device: int, library: str) -> str:
    """Return how to copy an array to a device, as an array of that library."""
    code = _ON_DEVICE.get(library, "st.DeviceArray.from_numpy({name}, {device})")
    return "copy it with " + code.format(name=name, device=device)


def on_host(name: str, library: str) -> str:
    """Return how to copy an array to host memory."""
    return "copy it with " + _ON_HOST.get(library, "{name}.numpy()").format(name=name)
