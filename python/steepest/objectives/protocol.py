"""What is asked of an objective."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Objective"]


@runtime_checkable
class Objective(Protocol):
    """What `minimize` needs of a function to be minimised."""

    @property
    def n_parameters(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def value_and_gradient(self, w: NDArray[Any]) -> tuple[float, NDArray[Any]]: ...
