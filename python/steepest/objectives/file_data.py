"""Rows in a section of a file, whose sums a pass makes while it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from ..streams.section import FileRows
from .dense import DenseData
from .held import HostRows

__all__ = ["FileData", "in_memory"]


@dataclass(frozen=True, eq=False)
class FileData(HostRows):
    """Rows whose X is in a file. They have sums of all rows; what needs more takes them `in_memory`."""

    X: FileRows

    @property
    def source(self) -> Any:
        X, like = self.X, np.zeros((1, self.X.shape[1]), self.X.dtype)
        return _core.file_source(
            X.file, X.file.fileno(), X.offset, X.name, like, len(X), self.targets, self.weights, self.weight_sum
        )


def in_memory(data: HostRows) -> HostRows:
    """Return the same rows in arrays."""
    if not isinstance(data, FileData):
        return data
    return DenseData(data.X.load(), data.targets, data.weights, data.weight_sum)
