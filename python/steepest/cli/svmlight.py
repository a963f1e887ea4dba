"""The reading of svmlight files, by scikit-learn. Wide ones stay sparse, and of the others a data frame is made.

The format is that of T. Joachims' SVMlight and of LIBSVM: a line for each row, with the label, the group of the row
("qid:3", which is not used), the numbers of columns and their values ("7:0.5"), and a comment after "#".
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ..extras import require
from ..streams.svmlight import fault_of_line
from .assembly import suits_sparse
from .numbered import MOST_DENSE_CELLS, Numbered
from .tables import Table, TableError


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
            wrong = fault_of_line(line)
            if wrong:
                return f"{path} cannot be read as svmlight: line {number}: {wrong}"
    return f"{path} cannot be read as svmlight: {reason}"
