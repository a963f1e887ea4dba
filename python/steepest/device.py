"""The CUDA module, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from . import _core

__all__ = ["backend", "status", "use"]

_used: list[Any] = []  # modules that stand in for _cuda, the last one in use


@contextmanager
def use(module: Any) -> Iterator[None]:
    """Put a module with the face of ``steepest._cuda`` in its place for a ``with`` block; for tests."""
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
        It was not built, or there is no device that it can use; the message says what to do.
    """
    module, reason = _find()
    if reason is None:
        return module
    if module is None:
        remedy = "build steepest where an nvcc is found, with STEEPEST_CUDA=ON, or copy the arrays to the host"
        raise RuntimeError(f"device arrays need the CUDA module, which was not built: {reason}; {remedy}")
    raise RuntimeError(f"device arrays need a CUDA device: {reason}; or copy the arrays to the host")


def status() -> str:
    """Return the devices in words, or why there are none."""
    module, reason = _find()
    if module is None:
        return f"not available: not built ({reason})"
    if reason is not None:
        return f"not available: {reason}"
    return "; ".join(_in_words(module.device(i)) for i in range(module.device_count()))


def _in_words(device: dict[str, Any]) -> str:
    major, minor = device["compute_capability"]
    return f"{device['name']} (compute capability {major}.{minor}, {device['memory'] / 2**30:.1f} GiB)"


def _find() -> tuple[Any, str | None]:
    """Return the module, None if it was not built, and why there is no usable device, None if there is one."""
    if _used:
        return _used[-1], _used[-1].reason()
    if _core.cuda_reason:
        return None, _core.cuda_reason
    try:
        module = import_module("steepest._cuda")
    except ImportError as error:
        return None, str(error)
    return module, module.reason()
