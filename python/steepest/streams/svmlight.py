"""Streams of svmlight files, parsed by scikit-learn block by block, and what is wrong with a line of one."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays.sparse import csr_view
from ..extras import require
from ..warnings import levels_outside
from .blocks import ArrayBlock
from .files import DataError
from .part import Facts
from .text import Lines, TextSource

__all__ = ["MOST_COLUMNS", "SvmlightSource", "fault_of_line"]

MOST_COLUMNS = 2**31  # indices of 32 bits
_SHOWN = 60  # characters of a line in an error


class SvmlightSource(TextSource):
    """Rows in svmlight files. The opening pass finds the number of columns."""

    kind = "svmlight"

    def __init__(self, paths: list[Path], dtype: np.dtype[Any] | None, memory: int) -> None:
        super().__init__(paths, memory)
        self._load = require("sklearn.datasets", "sklearn").load_svmlight_file
        stored = np.dtype(np.float64) if dtype is None else dtype
        self.facts = Facts(1, stored, stored, is_sparse=True)
        self._has_groups = False

    def begin_of(self, number: int) -> int:
        """Return 0: there is no header."""
        return 0

    def parse(self, lines: Lines) -> ArrayBlock:
        """Return the rows of some lines."""
        try:
            X, y, groups = self._load(io.BytesIO(lines.text), zero_based=True, query_id=True)
        except (ValueError, OverflowError) as error:
            raise self._refusal(lines, error) from error
        if X.shape[1] > MOST_COLUMNS:
            raise self._refusal(lines, ValueError("its columns have too high numbers"))
        self.facts.n_features = max(self.facts.n_features, X.shape[1])
        if len(groups) and not self._has_groups:
            self._has_groups = True
            path = self.states[lines.file].path
            warnings.warn(f"{path}: the groups of rows (qid) are not used", stacklevel=levels_outside())
        if not X.shape[1]:  # rows without entries, or no rows
            X.resize(X.shape[0], 1)
        view = csr_view(X) if X.shape[0] else X
        return ArrayBlock(view, y, None, self.place(lines))

    def _refusal(self, lines: Lines, error: Exception) -> DataError:
        path = self.states[lines.file].path
        for number, line in enumerate(lines.text.splitlines(), start=lines.line + 1):
            wrong = fault_of_line(line)
            if wrong:
                return DataError(f"{path} cannot be read as svmlight: line {number}: {wrong}")
        reason = " ".join(str(error).split())
        return DataError(f"{path} cannot be read as svmlight after line {lines.line}: {reason}")


def fault_of_line(line: bytes) -> str:
    """Return what is wrong with a line, or "" if it can be read."""
    words = line.partition(b"#")[0].split()
    if not words:
        return ""
    if not _is(float, words[0]):
        return f"expected a number as the label, got '{_shown(words[0])}'"
    last = -1
    for word in words[2:] if len(words) > 1 and words[1].startswith(b"qid:") else words[1:]:
        number, colon, value = word.partition(b":")
        if not (colon and _is(int, number) and _is(float, value)):
            return f"expected the number of a column, a colon and a value, such as 7:0.5, got '{_shown(word)}'"
        if int(number) <= last:
            named = f"column {int(number)} comes after column {last}" if int(number) >= 0 else f"column {int(number)}"
            return f"expected rising numbers of columns from 0 or 1, got {named}"
        last = int(number)
    if last >= MOST_COLUMNS:
        return f"expected numbers of columns below {MOST_COLUMNS:,}, got {_shown(str(last).encode())}"
    return ""


def _is(kind: Any, word: bytes) -> bool:
    try:
        kind(word)
    except ValueError:
        return False
    return True


def _shown(word: bytes) -> str:
    text = word.decode("utf-8", "replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
