"""The classes of a target that is text, and their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import DataError

__all__ = ["Labels"]

_MOST = 100_000  # more different labels than that are no classes


class Labels:
    """Numbers for labels in the order in which they come, until `settle` numbers them in sorted order.

    Examples
    --------
    >>> from steepest.streams.labels import Labels
    >>> labels = Labels()
    >>> labels.codes(["red", "blue", "red"])
    array([0, 1, 0])
    >>> labels.settle()  # red becomes 1, and blue 0
    array([1, 0])
    >>> labels.classes.tolist(), labels.codes(["red"]).tolist()
    (['blue', 'red'], [1])
    """

    def __init__(self, classes: Sequence[str] | None = None) -> None:
        self._codes = {label: code for code, label in enumerate(classes or ())}
        self._settled = classes is not None
        self._first = np.arange(len(self._codes))  # the codes before `settle`

    @property
    def is_settled(self) -> bool:
        """Whether the codes are final."""
        return self._settled

    @property
    def classes(self) -> NDArray[Any]:
        """The labels by their codes."""
        return np.array(list(self._codes))

    def codes(self, labels: Sequence[Any]) -> NDArray[np.intp]:
        """Return the codes of labels. Before `settle`, a new label gets the next code."""
        if not self._settled:
            for label in labels:
                self._codes.setdefault(label, len(self._codes))
            if len(self._codes) > _MOST:
                raise DataError(f"the target has more than {_MOST:,} different labels; give numbers, or fewer classes")
        try:
            return np.array([self._codes[label] for label in labels], np.intp)
        except KeyError as error:
            raise DataError(f"the label {error.args[0]!r} was not there in the first pass") from None

    def settle(self) -> NDArray[np.intp]:
        """Give the labels new codes in sorted order, and return these by the former codes."""
        ordered = {label: code for code, label in enumerate(sorted(self._codes))}
        moved = np.array([ordered[label] for label in self._codes], np.intp)
        self._codes, self._settled = ordered, True
        self._first = np.argsort(moved)
        return moved

    def first_codes(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the codes that labels had before `settle`, by those that they have now."""
        return self._first[codes.astype(np.intp)].astype(codes.dtype) if self._settled else codes
