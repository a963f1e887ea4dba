"""What an error tells its reader to write, in the terms of the library that the array is of."""

from __future__ import annotations

__all__ = ["as_contiguous", "as_copy", "as_dtype", "on_device", "on_host"]

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


def as_contiguous(name: str, library: str) -> str:
    """Return how to make an array contiguous."""
    return "convert it with " + _CONTIGUOUS.get(library, "{name}.copy()").format(name=name)


def as_copy(name: str, library: str) -> str:
    """Return how to copy an array to memory of its own."""
    return "convert it with " + (f"{name}.clone()" if library == "torch" else f"{name}.copy()")


def on_device(name: str, device: int, library: str) -> str:
    """Return how to copy an array to a device, where those of that library are."""
    code = _ON_DEVICE.get(library, "st.DeviceArray.from_numpy({name}, {device})")
    return "copy it with " + code.format(name=name, device=device)


def on_host(name: str, library: str) -> str:
    """Return how to copy an array to the host."""
    return "copy it with " + _ON_HOST.get(library, "{name}.numpy()").format(name=name)
