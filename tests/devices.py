"""The modules that run the CUDA kernels: on the CPU, emulated, and on a GPU where there is one."""

from __future__ import annotations

import functools
import importlib
import sys

import numpy as np


@functools.cache
def emulated():
    """The module whose kernels are emulated, built when it is first asked for."""
    from emulation.build import build

    sys.path.insert(0, str(build()))
    return importlib.import_module("_cuda_emulated")


@functools.cache
def real():
    """The CUDA module and why it is of no use here, None where it is."""
    try:
        module = importlib.import_module("steepest._cuda")
    except ImportError as error:
        return None, f"steepest._cuda was not built: {error}"
    return module, module.reason()


# Without a GPU a single test says why the rest is not run there: test_cuda_device.py::test_the_suite_runs_on_a_gpu.
MODULES = ["emulated", "cuda"] if real()[1] is None else ["emulated"]


def module(name):
    """The CUDA module of that name."""
    return emulated() if name == "emulated" else real()[0]


class Memory:
    """Arrays on a device by their addresses; `offset` elements lie before an array's first."""

    def __init__(self, module, device=0, stream=1):
        self.module, self.device, self.stream = module, device, stream
        self.buffers = []

    def put(self, array, offset=0):
        array = np.asarray(array)
        order = "C" if array.flags.c_contiguous else "F"
        flat = np.concatenate([np.zeros(offset, array.dtype), array.ravel(order)])
        buffer = self.module.Buffer(flat.nbytes, self.device)
        self.buffers.append(buffer)
        self.module.copy_to_device(flat, buffer.pointer, self.device, self.stream)
        return buffer.pointer + offset * array.itemsize

    def get(self, pointer, shape, dtype):
        array = np.empty(shape, dtype)
        self.module.copy_to_host(pointer, array, self.device, self.stream)
        return array
