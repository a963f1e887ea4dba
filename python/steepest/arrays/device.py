"""The CUDA module, or why there is none, and arrays that steepest owns in a device's memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .device_streams import LEGACY_STREAM, as_stream, is_elsewhere

__all__ = [
    "BFLOAT16",
    "STORAGES",
    "DeviceArray",
    "arithmetic_dtype",
    "backend",
    "dtype_name",
    "note_own_stream",
    "numpy_dtype",
    "reused",
    "status",
    "use",
]

BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # NumPy has no bfloat16; the CPU kernels take its bits in this dtype

_CUDA = 2  # DLPack's number for CUDA devices
STORAGES = tuple(_core.storages)  # the names of the dtypes that X may have
_used: list[Any] = []  # modules in place of _cuda; the last one is in use
_found: list[tuple[Any, str | None]] = []  # the result of the first look for _cuda


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of that name."""
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


@functools.lru_cache(maxsize=64)
def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return the name of a NumPy dtype; "bfloat16" for each dtype that represents it."""
    return "bfloat16" if dtype == BFLOAT16 else dtype.name


def arithmetic_dtype(storage: str) -> np.dtype[Any]:
    """Return the dtype of y, of w and of all results for an X of this storage."""
    return np.dtype(_core.storages[storage])


@contextmanager
def use(module: Any) -> Iterator[None]:
    """Replace ``steepest._cuda`` by a module with the same functions for a ``with`` block. For tests."""
    _used.append(module)
    try:
        yield
    finally:
        _used.remove(module)


def backend() -> Any:
    """Return the CUDA module.

    Raises
    ------
    RuntimeError
        The module was not built, or there is no device that it can use. The message says what to do.
    """
    module, reason = _find()
    if reason is None:
        return module
    remedy = "or copy the arrays to host memory"
    if module is None:
        build = "build steepest where an nvcc is found, with STEEPEST_CUDA=ON"
        raise RuntimeError(f"device arrays need the CUDA module, which was not built ({reason}): {build}, {remedy}")
    raise RuntimeError(f"device arrays need a CUDA device that can be used: {reason}; fix this, {remedy}")


def status() -> str:
    """Return a description of the devices, or why there are none."""
    module, reason = _find()
    if module is None:
        return f"not available: the CUDA module was not built ({reason})"
    if reason is not None:
        return f"not available: {reason}"
    return "; ".join(_in_words(module.device(number)) for number in range(module.device_count()))


def _in_words(device: dict[str, Any]) -> str:
    major, minor = device["compute_capability"]
    return f"{device['name']} (compute capability {major}.{minor}, {device['memory'] / 2**30:.1f} GiB)"


def _find() -> tuple[Any, str | None]:
    """Return the module, or None if it was not built, and why there is no usable device, or None if there is one."""
    if _used:
        return _used[-1], _used[-1].reason()
    if not _found:
        _found.append(_look())
    return _found[0]


def _look() -> tuple[Any, str | None]:
    if _core.cuda_reason:
        return None, _core.cuda_reason
    try:
        module = import_module("steepest._cuda")
    except ImportError as error:
        return None, str(error)
    return module, module.reason()


def reused(shape: tuple[int, ...], dtype: str, device: int, stream: int) -> DeviceArray:
    """Return an array, not initialised, for work on a stream; its memory is used again in the stream's order.

    It takes no allocation and no wait if an array of this size was made and dropped before. If the array was shared
    with a library that works on other streams, its memory is freed with it instead.
    """
    result = DeviceArray.__new__(DeviceArray)
    result._make(shape, dtype, device, stream)
    return result


def note_own_stream(array: DeviceArray) -> None:
    """Note that whoever shares the array's memory works on the array's own stream."""
    array._buffer.shared = False


class DeviceArray:
    """A C-contiguous array in the memory of a CUDA device.

    `from_numpy` and `zeros` make one. CuPy, torch, JAX and Numba share its memory without a copy, by
    ``__cuda_array_interface__`` (version 3) or DLPack. The memory is freed with the last object that uses it.

    Parameters
    ----------
    shape : tuple of int
        Length of each axis, at least 0. The elements are not initialised.
    dtype : str
        Type of the elements, by its name: one that the losses take for X, such as "float32" and "bfloat16".
    device : int
        Number of the device.

    Attributes
    ----------
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        Type of the elements. bfloat16 is ``[("bfloat16", "<u2")]``.
    device : int
        Number of the device.
    stream : int
        The CUDA stream that wrote the array last. The number 2 means the default stream of the thread that named it.

    Raises
    ------
    TypeError
        The dtype is none of those above.
    ValueError
        The shape is not a tuple of integers of at least 0, or there is no such device.
    RuntimeError
        The CUDA module was not built, or there is no usable device.
    MemoryError
        The device has too little free memory.

    Examples
    --------
    This example needs a CUDA device.

    >>> import numpy as np
    >>> import steepest as st
    >>> X = st.DeviceArray.from_numpy(np.eye(2))
    >>> X
    DeviceArray(shape=(2, 2), dtype=float64, device=0)
    >>> y = st.DeviceArray.from_numpy(np.array([3.0, -1.0]))
    >>> objective = st.LeastSquares(X, y, intercept=False)
    >>> result = st.minimize(objective, optimizer=st.GradientDescent(1.0), max_epochs=1)
    >>> print(result.w.numpy().round(6))
    [ 3. -1.]
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, device: int = 0) -> None:
        self._make(shape, dtype, device, None)

    def _make(self, shape: tuple[int, ...], dtype: str, device: int, stream: int | None) -> None:
        if dtype not in STORAGES:
            raise TypeError(f"dtype must be one of {', '.join(STORAGES)}, got {dtype}")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"shape must be a tuple of integers of at least 0, got {shape!r}")
        self._cuda = backend()
        count = self._cuda.device_count()
        if isinstance(device, bool) or not isinstance(device, int) or not 0 <= device < count:
            raise ValueError(f"device must be an integer from 0 to {count - 1}, got {device!r}")
        self.shape, self.dtype, self.device = shape, numpy_dtype(dtype), device
        self.stream = as_stream(stream)
        self._buffer = self._cuda.Buffer(max(self.nbytes, 1), device, stream)

    @classmethod
    def from_numpy(cls, array: NDArray[Any], device: int = 0) -> DeviceArray:
        """Return a copy of a NumPy array on the device.

        Parameters
        ----------
        array : NumPy array
            The array, of a dtype that the losses take for X, in this machine's byte order. bfloat16 is the dtype of
            ml_dtypes or ``[("bfloat16", "<u2")]``.
        device : int
            Number of the device.

        Returns
        -------
        DeviceArray

        Raises
        ------
        TypeError
            array is not a NumPy array of one of these dtypes, is masked, or has the other byte order.
        ValueError, RuntimeError, MemoryError
            As for the class.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"array must be a NumPy array, got {type(array).__name__}")
        if isinstance(array, np.ma.MaskedArray):
            raise TypeError("array must have no mask, got a masked array; fill or drop the masked elements")
        if not array.dtype.isnative:
            remedy = "convert it with array.astype(array.dtype.newbyteorder('='))"
            raise TypeError(f"array must be in this machine's byte order, got {array.dtype}; {remedy}")
        result = cls(array.shape, dtype_name(array.dtype), device)
        if array.size:
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            result._cuda.copy_to_device(data, result.pointer, result.device, result.stream)
        return result

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: str, device: int = 0, stream: int = LEGACY_STREAM) -> DeviceArray:
        """Return an array of zeros; the stream writes them. Parameters and errors are those of the class."""
        result = cls(shape, dtype, device)
        result.stream = as_stream(stream)
        result._cuda.fill_zero(result.pointer, result.nbytes, device, stream)
        return result

    @property
    def pointer(self) -> int:
        """The address of the array in the device's memory."""
        return int(self._buffer.pointer)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes of the elements."""
        return self.size * self.dtype.itemsize

    def numpy(self) -> NDArray[Any]:
        """Return a copy in host memory, made when all work on the array's stream is done."""
        result = np.empty(self.shape, self.dtype)
        self._settle()
        if self.size:
            data = result.reshape(-1).view(np.uint8)
            self._cuda.copy_to_host(self.pointer, data, self.device, self.stream)
        return result

    def wait(self) -> None:
        """Wait until all work on the array's stream is done."""
        self._settle()
        self._cuda.copy_to_host(self.pointer, np.empty(1, np.uint8), self.device, self.stream)

    def _settle(self) -> None:
        """Make the array's stream one of this thread.

        If another thread's own stream wrote the array, this waits for the device: no call here can name that stream.
        """
        if is_elsewhere(self.stream):
            self._cuda.wait_for_device(self.device)
            self.stream = as_stream(int(self.stream))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        self._settle()
        self._buffer.shared = True
        typestr = "<V2" if self.dtype == BFLOAT16 else self.dtype.str
        data = (self.pointer, False)
        return {"shape": self.shape, "typestr": typestr, "data": data, "version": 3, "stream": int(self.stream)}

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, self.device

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if copy or (dl_device is not None and tuple(dl_device) != self.__dlpack_device__()):
            raise BufferError("DLPack shares a DeviceArray as it is: without a copy, on its own device")
        if stream == -1 or as_stream(stream) != self.stream:
            self._buffer.shared = True
        if stream != -1 and as_stream(stream) != self.stream:
            self.wait()
        versioned = max_version is not None and max_version[0] >= 1
        name = dtype_name(self.dtype)
        return _core.to_dlpack(self.pointer, self.shape, name, _CUDA, self.device, self._buffer, versioned)

    def __array__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        raise TypeError("a DeviceArray is not copied to host memory implicitly; convert it with its method numpy()")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a DeviceArray cannot be pickled or copied; pickle the result of its method numpy()")

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={dtype_name(self.dtype)}, device={self.device})"
