"""Objectives of data on a device as methods on the host take them, with NumPy arrays in and out."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..arrays.device import DeviceArray
from .data import DataObjective

__all__ = ["on_host", "placed"]


def on_host(objective: Any) -> Any:
    """Return an objective whose methods take and return NumPy arrays, while passes run where the data are.

    Objectives of data in the host's memory are returned as they are, and so are those of data that have no such view.
    """
    if not isinstance(objective, DataObjective) or objective.device is None:
        return objective
    rows = getattr(objective.data, "on_host", None)
    return objective if rows is None else objective.with_data(rows)


def placed(objective: Any, w: NDArray[Any]) -> Any:
    """Return a copy of parameters where the methods of an objective take them: on its device, if it has one."""
    device = objective.device if isinstance(objective, DataObjective) else None
    return w.copy() if device is None else DeviceArray.from_numpy(w, device)
