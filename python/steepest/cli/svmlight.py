"""The reading of svmlight files, by scikit-learn. Wide ones stay sparse, and of the others a data frame is made.

The format is that of T. Joachims' SVMlight and of LIBSVM: a line for each row, with the label, the group of the row
("qid:3", which is not used), the numbers of columns and their values ("7:0.5"), and a comment after "#".
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ..extras import require
from .assembly import suits_sparse
from .numbered import MOST_DENSE_CELLS, Numbered
from .tables import Table, TableError

_SHOWN = 60  # characters of a line in an error
_MOST_COLUMNS = 2**31  # indices of 32 bits


def read_svmlight(path: Path) -> Table:
    """Read a svmlight file. The name of a column is its number in the file, which counts from 0 or from 1.

    Raises
    ------
    TableError
        A line cannot be read, or a value is infinite. The message names the line.
    """
    load = require("sklearn.datasets", "cli").load_svmlight_file
    try:
        X, y, groups = load(str(path), zero_based=True, query_id=True)
    except (ValueError, OverflowError) as error:
        raise TableError(_complaint(path, error)) from error
    if len(groups):
        warnings.warn(f"{path.name}: the groups of rows (qid) are not used", stacklevel=2)
    pandas = require("pandas", "cli")
    if not _stays_sparse(X):
        frame = pandas.DataFrame(X.toarray(), columns=[str(number) for number in range(X.shape[1])], copy=False)
        if X.shape[1] and not (X.indices == 0).any():
            frame = frame.drop(columns="0")
        return Table(frame.assign(y=y), target="y", kind="sparse")
    numbered = Numbered.of_file(X)
    numbered.check_finite()
    return Table(pandas.DataFrame({"y": y}), target="y", kind="sparse", numbered=numbered)


def _stays_sparse(X: Any) -> bool:
    rows, columns = X.shape
    return suits_sparse(rows, columns, X.nnz) or rows * columns > MOST_DENSE_CELLS


def _complaint(path: Path, error: Exception) -> str:
    """Return what is wrong with a file, with the first line that cannot be read."""
    reason = " ".join(str(error).split())
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            wrong = _wrong_with(line)
            if wrong:
                return f"{path} cannot be read as svmlight: line {number}: {wrong}"
    return f"{path} cannot be read as svmlight: {reason}"


def _wrong_with(line: bytes) -> str:
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
    if last >= _MOST_COLUMNS:
        return f"expected numbers of columns below {_MOST_COLUMNS:,}, got {_shown(str(last).encode())}"
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
