"""Arrays of any library become what the native modules take: a NumPy array on the same memory, or a device view."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from . import remedies
from .device import BFLOAT16, DeviceArray, backend, dtype_name, note_own_stream, numpy_dtype
from .device_streams import as_stream, is_elsewhere

__all__ = ["DeviceView", "as_native", "check_place", "device_of", "library_of", "lies_on_device", "like", "note_change"]

_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED = 1, 2, 3, 13
_DEVICES = {4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 11: "ROCm's host", 14: "oneAPI", 15: "WebGPU"}

# By library: the module and the function that make one of its arrays on the memory of another array.
_MAKERS = {
    "cupy": ("cupy", "asarray"),
    "jax": ("jax.dlpack", "from_dlpack"),
    "numba": ("numba.cuda", "as_cuda_array"),
    "torch": ("torch", "from_dlpack"),
}
_ALIASES = {"jaxlib": "jax", "cupyx": "cupy"}  # modules of a library by another name
_REFUSALS = (AttributeError, BufferError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class DeviceView:
    """An array in a device's memory. ``owner`` keeps the memory alive, and ``stream`` writes the data."""

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements
    dtype: str
    device: int
    stream: int
    read_only: bool
    library: str
    owner: Any

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Number of bytes of a contiguous array of this shape and dtype."""
        return self.size * numpy_dtype(self.dtype).itemsize

    def numpy(self) -> NDArray[Any]:
        """Return a copy of a contiguous vector in host memory, made when its data are ready."""
        result = np.empty(self.shape, numpy_dtype(self.dtype))
        self.settle()
        if self.size:
            backend().copy_to_host(self.pointer, result.view(np.uint8), self.device, self.stream)
        return result

    def wait(self) -> None:
        """Wait until the data are ready."""
        self.settle()
        if self.size:
            backend().copy_to_host(self.pointer, np.empty(1, np.uint8), self.device, self.stream)

    def settle(self) -> None:
        """Wait for the device if the array's stream is another thread's own, which no call of this thread can name."""
        if is_elsewhere(self.stream):
            backend().wait_for_device(self.device)

    @property
    def flat(self) -> DeviceView:
        """The elements of a C-contiguous array as a vector, on the same memory."""
        return dataclasses.replace(self, shape=(self.size,), strides=(1,))

    @property
    def c_contiguous(self) -> bool:
        """Whether the last axis varies fastest, without gaps."""
        return _contiguous(self.shape, self.strides)

    @property
    def f_contiguous(self) -> bool:
        """Whether the first axis varies fastest, without gaps."""
        return _contiguous(self.shape[::-1], self.strides[::-1])


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of a C-contiguous array."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def library_of(array: Any) -> str:
    """Return the name of the library that made an array; "unknown" if _MAKERS does not list the library."""
    if isinstance(array, np.ndarray):
        return "numpy"
    if array is None:
        return "unknown"
    modules = (kind.__module__.partition(".")[0] for kind in type(array).__mro__)
    return next((name for module in modules if (name := _ALIASES.get(module, module)) in _MAKERS), "unknown")


def lies_on_device(array: Any) -> bool:
    """Return whether an array of any library is in the memory of a CUDA device. Nothing is opened."""
    if isinstance(array, np.ndarray):
        return False
    if hasattr(array, "__dlpack_device__"):
        try:
            return int(array.__dlpack_device__()[0]) in (_CUDA, _CUDA_MANAGED)
        except _REFUSALS:
            return False
    return isinstance(getattr(array, "__cuda_array_interface__", None), Mapping)


def as_native(name: str, array: Any) -> Any:
    """Return an array of any library as a NumPy array on the same memory, or as a `DeviceView`. Never a copy.

    Anything that is not an array, such as a list, is returned unchanged; the checks then refuse it. A torch tensor that
    requires a gradient is detached: torch does not record computations on it.
    """
    if isinstance(array, np.ndarray):
        check_unmasked(name, array)
        return array.view(BFLOAT16) if array.dtype.kind == "V" and array.dtype.name == "bfloat16" else array
    if array is None:
        return None
    if isinstance(array, DeviceArray):
        return _of_device_array(array)
    found = _opened(name, array)
    if isinstance(found, DeviceView) and found.pointer % numpy_dtype(found.dtype).itemsize:
        raise ValueError(f"{name} must be aligned in memory, got {found.dtype} at the address {found.pointer:#x}")
    return found


def check_unmasked(name: str, array: Any) -> None:
    """Refuse a masked array: its memory also holds the elements that the mask hides."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask, got a masked array; fill or drop the masked elements")


def _opened(name: str, array: Any) -> Any:
    if library_of(array) == "torch":
        if array.is_neg():  # torch negates such a view when it reads it; DLPack does not tell
            raise TypeError(
                f"{name} must hold its own numbers, got a view that torch negates; use {name}.resolve_neg()"
            )
        return _from_dlpack(name, array.detach() if array.requires_grad else array)
    interface = getattr(array, "__cuda_array_interface__", None)
    dlpack = hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__")
    if isinstance(interface, Mapping) and (interface.get("version", 0) >= 3 or not dlpack):
        return _from_interface(name, array, interface)
    return _from_dlpack(name, array) if dlpack else array


def like(array: Any, example: Any) -> Any:
    """Return a NumPy array or a DeviceArray as an array of the example's library, on the same memory."""
    library = library_of(example)
    if library not in _MAKERS or (isinstance(array, np.ndarray) and library not in ("torch", "jax")):
        return array
    module, function = _MAKERS[library]
    made = getattr(sys.modules[module], function)(array)
    if library == "cupy" and isinstance(array, DeviceArray):
        stream = getattr(sys.modules["cupy"].cuda.get_current_stream(), "ptr", None)
        if stream is not None and as_stream(stream) == array.stream:
            note_own_stream(array)
    return made


def device_of(array: Any) -> int | None:
    """Return the number of the CUDA device of a result of `as_native`; None for host memory."""
    return array.device if isinstance(array, DeviceView) else None


def place(device: int | None) -> str:
    """Return the name of the memory of a device, or of the host for None."""
    return "the host's memory" if device is None else f"the memory of CUDA device {device}"


def check_place(name: str, array: Any, device: int | None, library: str, companion: str = "the data are") -> None:
    """Check that a result of `as_native` is in the same memory as the data, which are of `library`."""
    if device_of(array) == device or not isinstance(array, np.ndarray | DeviceView):
        return
    if isinstance(array, DeviceView):
        remedy = remedies.on_host(name, array.library)
    if device is not None:
        remedy = remedies.on_device(name, device, library)
    raise ValueError(f"{name} must be in {place(device)}, where {companion}, got {place(device_of(array))}; {remedy}")


def note_change(array: Any) -> None:
    """Tell torch's autograd that its tensor was changed in place."""
    if library_of(array) == "torch" and not array.is_inference():
        sys.modules["torch"].autograd.graph.increment_version(array)


def _contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    wanted = contiguous_strides(shape)
    return 0 in shape or all(n == 1 or s == w for n, s, w in zip(shape, strides, wanted, strict=True))


def _of_device_array(array: DeviceArray) -> DeviceView:
    if is_elsewhere(array.stream):
        array.wait()
    strides, name = contiguous_strides(array.shape), dtype_name(array.dtype)
    return DeviceView(array.pointer, array.shape, strides, name, array.device, array.stream, False, "steepest", array)


def _from_interface(name: str, array: Any, interface: Mapping[str, Any]) -> DeviceView:
    expected = f"{name} must be an array with a valid __cuda_array_interface__"
    if interface.get("mask") is not None:
        raise TypeError(f"{name} must be an array without a mask, got a masked {type(array).__name__}")
    stream = interface.get("stream")
    if stream is not None and (isinstance(stream, bool) or not isinstance(stream, int) or stream <= 0):
        raise ValueError(f"{expected}, got stream {stream!r}")
    missing = {"shape", "typestr", "data"} - set(interface)
    if missing:
        raise ValueError(f"{expected}, got one without {', '.join(sorted(missing))}")
    shape = tuple(interface["shape"])
    dtype = np.dtype(interface["typestr"])
    bfloat16 = dtype.str[1:] == "V2" and "bfloat16" in str(getattr(array, "dtype", ""))
    element = "bfloat16" if bfloat16 else dtype.name
    if not dtype.isnative:
        raise TypeError(f"{name} must be in this machine's byte order, got {interface['typestr']}")
    if interface.get("strides") is None:
        strides = contiguous_strides(shape)
    elif any(stride % dtype.itemsize for stride in interface["strides"]):
        raise ValueError(f"{name} must have strides of whole elements, got {interface['strides']} bytes")
    else:
        strides = tuple(stride // dtype.itemsize for stride in interface["strides"])
    pointer, read_only = interface["data"]
    device = backend().device_of(pointer) if math.prod(shape) else 0
    if device < 0:
        raise ValueError(
            f"{name} must be in the memory of a CUDA device, got an address that is not in it (was it freed?)"
        )
    library = library_of(array)
    # CuPy may destroy a stream that no one holds
    owner = (array, sys.modules["cupy"].cuda.get_current_stream()) if library == "cupy" else array
    return DeviceView(pointer, shape, strides, element, device, as_stream(stream), bool(read_only), library, owner)


def _from_dlpack(name: str, array: Any) -> Any:
    try:
        kind, device = array.__dlpack_device__()
    except _REFUSALS as error:
        raise _refused(name, array, error) from error
    if kind not in (_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED):
        where = _DEVICES.get(int(kind), f"DLPack device type {int(kind)}")
        raise TypeError(f"{name} must be in the memory of the CPU or of a CUDA device, got {where}; copy it to the CPU")
    on_device = kind in (_CUDA, _CUDA_MANAGED)
    if on_device:
        backend()
    try:
        return _open_on_device(array, int(device)) if on_device else _open_on_host(array)
    except _REFUSALS as error:
        raise _refused(name, array, error) from error


def _refused(name: str, array: Any, error: Exception) -> TypeError:
    return TypeError(f"{name} must be an array that DLPack can share, got {type(array).__name__}: {error}")


def _open_on_host(array: Any) -> Any:
    view = _core.open_dlpack(array)
    if library_of(array) == "jax":  # JAX's arrays are immutable; DLPack's version 0 cannot tell
        view.flags.writeable = False
    return view


def _open_on_device(array: Any, device: int) -> DeviceView:
    stream, library = as_stream(None), library_of(array)
    if library == "torch":
        torch = sys.modules["torch"]
        stream = as_stream(torch.cuda.current_stream(device).cuda_stream)
        with torch.cuda.device(device):  # torch exports tensors of its current device only
            view = _core.open_dlpack(array, stream)
    else:
        view = _core.open_dlpack(array, stream)
    read_only = view.read_only or library == "jax"
    return DeviceView(view.pointer, view.shape, view.strides, view.dtype, view.device, stream, read_only, library, view)
