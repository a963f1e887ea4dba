"""Cases of objectives, steps and runs on a CUDA device, here one that the CPU emulates."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import steepest as st

from .data import STORAGES, Sample, arithmetic, bell, stored
from .run_cases import RULES
from .tables import Case


def use_emulated(folder: Path) -> None:
    """Let steepest take the emulated module in `folder` for its own CUDA module."""
    sys.path.insert(0, str(folder))
    core = importlib.import_module("steepest._core")
    core.cuda_reason = ""  # type: ignore[attr-defined]
    sys.modules["steepest._cuda"] = importlib.import_module("_cuda_emulated")


def device_cases(quick: bool) -> Iterator[Case]:
    """Yield values, gradients, steps and runs on the device."""
    for sample in [Sample(20, 5)] if quick else [Sample(1, 1), Sample(20, 5), Sample(300, 17), Sample(24, 300)]:
        for loss, classes in (("least_squares", 0), ("logistic", 2)):
            for storage in STORAGES:
                for order in "CF":
                    for name in ("plain", "weights, both penalties", "no intercept"):
                        label = f"device/{loss}/{storage}/{order}/{sample.n}x{sample.d}/{name}"
                        make = partial(_objective, classes, sample, storage, order, name)
                        yield f"{label}/value_and_gradient", partial(_evaluate, make, sample)
                        for batch in (None, 7):
                            run = partial(_run, make, sample, batch)
                            if sample.n > 7 and (batch is None or order == "C"):
                                yield f"{label}/minimize {batch or 'all'}", run
    for name in RULES:
        for dtype in ("float32", "float64"):
            yield f"device/step/{name}/{dtype}", partial(_steps, name, dtype)


def _objective(classes: int, sample: Sample, storage: str, order: str, name: str) -> Any:
    dtype = arithmetic(storage)
    y = (sample.labels(classes) if classes else sample.target()).astype(dtype)
    X = stored(sample.X, storage, order)
    options: dict[str, Any] = {"intercept": name != "no intercept"}
    if "weights" in name:
        options |= {"sample_weight": put(sample.weights().astype(dtype)), "alpha": 0.125, "l1_ratio": 0.5}
    kind = st.Logistic if classes else st.LeastSquares
    return kind(put(X) if order == "C" else _Transposed(put(X.T)), put(y), **options)


class _Transposed:
    """A device array with its axes swapped: one in F order."""

    def __init__(self, array: Any) -> None:
        face = dict(array.__cuda_array_interface__)
        rows, columns = face["shape"]
        size = array.dtype.itemsize
        self._array, self.dtype = array, array.dtype
        self.__cuda_array_interface__ = face | {"shape": (columns, rows), "strides": (size, columns * size)}


def put(array: Any) -> Any:
    """Return a copy on the device."""
    return st.DeviceArray.from_numpy(array)


def _evaluate(make: Any, sample: Sample) -> Any:
    objective = make()
    w = put(sample.parameters(objective.n_parameters).astype(objective.dtype))
    return objective.value(w), *objective.value_and_gradient(w)


def _run(make: Any, sample: Sample, batch: int | None) -> Any:
    objective = make()
    w = put(sample.parameters(objective.n_parameters).astype(objective.dtype))
    return st.minimize(
        objective, w, RULES["Adam fast"](), batch_size=batch, max_epochs=2, random_state=4, diagnose=False
    )


def _steps(name: str, dtype: str) -> Any:
    optimizer, w = RULES[name](), put(bell(11, 77).astype(dtype))
    for seed in range(3):
        optimizer.step(w, put((bell(12 + seed, 77) / 8).astype(dtype)))
    return {"w": w, "state": {name: np.asarray(array) for name, array in optimizer.state_dict()["state"].items()}}
