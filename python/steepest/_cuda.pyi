from typing import Any

import numpy as np
from numpy.typing import NDArray

def reason() -> str | None: ...
def device_count() -> int: ...
def device(number: int) -> dict[str, Any]: ...
def versions() -> dict[str, Any]: ...

class Buffer:
    shared: bool
    def __init__(self, n_bytes: int, device: int, stream: int | None = None) -> None: ...
    @property
    def pointer(self) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    @property
    def device(self) -> int: ...
    def free(self) -> None: ...

class Kept:
    def __init__(self, objects: Any, device: int, stream: int) -> None: ...
    @property
    def done(self) -> bool: ...

def wait_for_device(device: int) -> None: ...
def copy_to_host(pointer: int, array: NDArray[Any], device: int, stream: int) -> None: ...
def copy_to_device(array: NDArray[Any], pointer: int, device: int, stream: int) -> None: ...
def copy(source: int, target: int, n_bytes: int, device: int, stream: int) -> None: ...
def fill_zero(pointer: int, n_bytes: int, device: int, stream: int) -> None: ...
def refuse_capture(doing: str, device: int, stream: int) -> None: ...
def row_order(n: int, seed: int, epoch: int, target: int, device: int, stream: int) -> None: ...
def device_of(pointer: int) -> int: ...
def check_pointer(name: str, pointer: int, device: int) -> None: ...
def survey(dtype: str, pointer: int, n: int, device: int, stream: int) -> tuple[int, int, float, float]: ...

class Objective:
    def __init__(
        self,
        loss: str,
        storage: str,
        X: int,
        n_rows: int,
        n_columns: int,
        row_major: bool,
        y: int,
        weight: int,
        weight_sum: float,
        intercept: bool,
        l1: float,
        l2: float,
        device: int,
        stream: int,
    ) -> None: ...
    def value_and_gradient(self, w: int, gradient: int) -> float: ...
    def value(self, w: int) -> float: ...
    def hessian_product(self, w: int, v: int, product: int) -> None: ...
    def sums(self, w: NDArray[Any]) -> NDArray[np.float64]: ...
    def product_sums(self, w: NDArray[Any], v: NDArray[Any]) -> NDArray[np.float64]: ...

class SoftmaxObjective:
    def __init__(
        self,
        storage: str,
        X: int,
        n_rows: int,
        n_columns: int,
        row_major: bool,
        y: int,
        weight: int,
        weight_sum: float,
        n_classes: int,
        intercept: bool,
        l1: float,
        l2: float,
        device: int,
        stream: int,
    ) -> None: ...
    def value(self, w: int) -> float: ...
    def value_and_gradient(self, w: int, gradient: int) -> float: ...
    def hessian_product(self, w: int, v: int, product: int) -> None: ...
    def sums(self, w: NDArray[Any]) -> NDArray[np.float64]: ...
    def product_sums(self, w: NDArray[Any], v: NDArray[Any]) -> NDArray[np.float64]: ...

class Rows:
    def __init__(self, X: int, n_rows: int, n_columns: int, row_major: bool, device: int, stream: int) -> None: ...
    def statistics(
        self, storage: str, weight: int, unit: NDArray[np.float64] | None, some: NDArray[np.int64]
    ) -> NDArray[np.float64]: ...
    def gather(
        self, element_bytes: int, index: NDArray[np.int64], array: NDArray[Any], piece_bytes: int = ...
    ) -> None: ...

def scores_float32(
    storage: str,
    X: int,
    n_rows: int,
    n_columns: int,
    row_major: bool,
    W: NDArray[np.float32],
    b: NDArray[np.float32],
    offset: int,
    out: int,
    device: int,
    stream: int,
) -> bool: ...
def scores_float64(
    storage: str,
    X: int,
    n_rows: int,
    n_columns: int,
    row_major: bool,
    W: NDArray[np.float64],
    b: NDArray[np.float64],
    offset: int,
    out: int,
    device: int,
    stream: int,
) -> bool: ...
def predictions_float32(
    kind: str,
    scores: int,
    n_rows: int,
    n_scores: int,
    out: int,
    places: NDArray[np.intc] | None,
    device: int,
    stream: int,
) -> None: ...
def predictions_float64(
    kind: str,
    scores: int,
    n_rows: int,
    n_scores: int,
    out: int,
    places: NDArray[np.intc] | None,
    device: int,
    stream: int,
) -> None: ...

class SparseArrays:
    def __init__(
        self,
        data: int,
        indices: int,
        wide_indices: bool,
        indptr: int,
        wide_indptr: bool,
        n_rows: int,
        n_columns: int,
        n_entries: int,
    ) -> None: ...

def check_sparse(X: SparseArrays, device: int, stream: int) -> tuple[int, int]: ...

class SparseObjective:
    def __init__(
        self,
        dtype: str,
        X: SparseArrays,
        y: int,
        weight: int,
        weight_sum: float,
        loss: str,
        loss_parameters: dict[str, float],
        intercept: bool,
        l1: float,
        l2: float,
        device: int,
        stream: int,
    ) -> None: ...
    def value(self, w: int) -> float: ...
    def value_and_gradient(self, w: int, gradient: int) -> float: ...
    def hessian_product(self, w: int, v: int, product: int) -> None: ...

class Rule:
    def __init__(self, name: str, **hyperparameters: float) -> None: ...
    @property
    def n_states(self) -> int: ...
    def step(
        self,
        dtype: str,
        w: int,
        gradient: int,
        states: tuple[int, ...],
        n: int,
        learning_rate: float,
        t: int,
        device: int,
        stream: int,
    ) -> None: ...

class Descent:
    def __init__(
        self,
        objective: Objective | SparseObjective,
        rule: Rule,
        w: int,
        states: tuple[int, ...],
        n_steps: int,
        batch_size: int,
    ) -> None: ...
    def start_epoch(self, order: NDArray[np.uint32] | None) -> None: ...
    def shuffle_epoch(self, seed: int, epoch: int) -> None: ...
    def evaluate(self) -> tuple[float, float]: ...
    def run(
        self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None
    ) -> tuple[int, bool, bool]: ...
    def restore(self) -> None: ...
    def settle(self) -> None: ...
    def copy_parameters(self, array: NDArray[Any]) -> None: ...
    @property
    def useful_rates(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
