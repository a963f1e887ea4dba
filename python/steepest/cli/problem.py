"""`Problem`: a table as arrays, split into the rows to train on, to choose the epoch by, and to test on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from .assembly import Array, Matrix
from .encoding import TableEncoder, check_complete, missing_counts
from .further import rows_of, weights_of
from .numbered import parted
from .splitting import default_fraction, split_rows
from .tables import OptionError, Table, TableError, some
from .targets import CLASS_LOSSES, Target

AUTO = "auto"
_EXCLUSIVE = (
    *(("--target", "--weight"), ("--target", "--drop"), ("--weight", "--drop")),
    *(("--categorical", "--numeric"), ("--drop", "--categorical"), ("--drop", "--numeric")),
)
DEFAULT_VALIDATION = 0.1  # with --patience
LOST_PART = 1e-3  # largest rounding error of a column without a warning, as a part of the column's range


@dataclass(frozen=True)
class FitOptions:
    """The options of `steepest fit`.

    Attributes
    ----------
    loss : str or None
        None means that the target decides.
    target : str or None
        Column to predict. None means the column that the file format marks.
    weight : str or None
        Column with the weights of the rows.
    drop, categorical, numeric : tuple of str
        Columns to leave out, to read as text whatever they hold, and to read as numbers.
    missing : str
        What to do with missing values, as for `TableEncoder`. "drop" leaves out their rows.
    optimizer : str
        "auto", "quasi-newton", or a key of OPTIMIZERS. "auto" is Adam with a batch size, else QuasiNewton.
    learning_rate : float or None
        A constant rate. None means the estimator's choice.
    batch_size : int, None or "auto"
        Rows of a step. None means all rows. "auto" means 256 for optimizers that need no curvature, else all rows.
    max_epochs : int or None
        None means 1000 passes, or 100 with mini-batches.
    alpha : float or None
        The strength of the penalty. None means the estimator's default: 0, and for classes 1 / rows.
    l1_ratio : float
        The L1 share of the penalty.
    test_fraction : float or None
        Part of the rows that only test the model. None means 0.2, or 0 for fewer than 50 rows.
    validation_fraction : float or None
        Part of the rows that choose the epoch. None means 0.1 with `patience`, else 0.
    patience : int or None
        Number of epochs without a lower validation loss after which the run stops. None means no such rule.
    tol : float or None
        The run stops at this gradient norm, as a part of the one at the start. None means the estimator's choice.
    standardize : bool
        Whether to descend on columns of mean 0 and deviation 1. The penalty then applies to their coefficients.
    """

    loss: str | None = None
    delta: float | None = None
    target: str | None = None
    weight: str | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    missing: str = "error"
    optimizer: str = AUTO
    learning_rate: float | None = None
    batch_size: int | Literal["auto"] | None = "auto"
    max_epochs: int | None = None
    max_seconds: float | None = None
    alpha: float | None = None
    l1_ratio: float = 0.0
    test_fraction: float | None = None
    validation_fraction: float | None = None
    patience: int | None = None
    tol: float | None = None
    standardize: bool = True
    dtype: Literal["float32", "float64"] = "float64"
    random_state: int = 0


@dataclass
class Part:
    """Some rows of the table as arrays; X may be a CSR matrix. `weight` is None if the rows have none."""

    X: Matrix
    y: Array
    weight: Array | None


@dataclass
class Problem:
    """A table as arrays, split into parts, with the encoder that made them.

    Attributes
    ----------
    rows_read : int
        The rows of the table.
    dropped : dict of str to int
        How many rows were left out, by the reason.
    training, validation, test : Part
        The rows that the fit uses, those that choose the epoch, and those that it never sees.
    notes : list of str
        What is to be said of the table.
    """

    options: FitOptions
    target: Target
    encoder: TableEncoder
    rows_read: int
    dropped: dict[str, int]
    training: Part
    validation: Part | None
    test: Part | None
    notes: list[str] = field(default_factory=list)
    validation_name: str = ""
    sparse: bool = False
    digest: str = ""
    name: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """The rows of each part, 0 where there is none."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        return {name: 0 if part is None else len(part.y) for name, part in parts.items()}

    def closing_lines(self) -> list[str]:
        """Return nothing: all is known before the fit."""
        return []

    def data(self) -> dict[str, Any]:
        """Return what a model file says of the table."""
        return {"name": self.name, "sha256": self.digest, "rows": self.rows_read}


def pose(table: Table, options: FitOptions, validation: Table | None = None) -> Problem:
    """Make a problem of a table.

    Raises
    ------
    TableError, OptionError
        The table cannot be used. The message names the column.
    """
    target_name = table.target_column(options.target)
    weight_name = None if options.weight is None else table.column(options.weight)
    table, numbered = parted(table, [target_name, weight_name, *options.categorical], options.drop)
    columns = _columns(table, options, target_name, weight_name, numbered is not None)
    encoder = _encoder(table, options, columns, target_name)
    if numbered is not None:
        encoder.numbering_ = numbered.numbering
    frame, dropped = _complete_rows(table.frame, encoder, columns, target_name, weight_name, options.missing)
    weight = None if weight_name is None else weights_of(frame[weight_name])
    if weight is not None and not weight.all():
        dropped["weight 0"] = int((weight == 0).sum())
        frame, weight = frame[weight > 0], weight[weight > 0]
    outcome = frame[target_name]
    if options.categorical and target_name in map(table.column, options.categorical):
        outcome = outcome.map(str)
    target = Target.of(outcome, options.loss)
    numbers = [column.name for column in encoder.columns_ if column.kind == "number"]
    numbers += [*([] if weight_name is None else [weight_name]), *([] if target.classes else [target_name])]
    table.check_decimals(frame[numbers])
    y = target.encode(outcome)
    places = None if target.classes is None else y
    training, chosen, tested = _split(len(frame), options, validation is not None, places)
    encoder.learn_fills(frame.iloc[training] if options.missing != "error" else frame)
    filled = missing_counts(frame[encoder.column_names])
    notes = [*encoder.notes_, *([f"missing values filled in: {_listed(filled)}"] if filled else [])]
    X = encoder.encoded(frame, None if numbered is None else numbered.matrix)

    def part(rows: Array) -> Part:
        return Part(X[rows], y[rows], None if weight is None else weight[rows])

    choosing, testing = (part(rows) if len(rows) else None for rows in (chosen, tested))
    problem = Problem(options, target, encoder, len(table.frame), dropped, part(training), choosing, testing, notes)
    problem.sparse, problem.digest, problem.name = table.kind == "sparse", table.digest, table.name
    if validation is not None:
        unused = [name for name in table.frame.columns if name not in columns]
        problem.validation = further_part(validation, problem, weight_name, unused)
        problem.validation_name = validation.name
    return problem


def _encoder(table: Table, options: FitOptions, columns: list[str], target: str) -> TableEncoder:
    """Return the encoder, not fitted yet. Warn of numbers whose digits it will lose."""
    numeric, categorical = (set(map(table.column, each)) for each in (options.numeric, options.categorical))
    beside = [target] if options.loss not in CLASS_LOSSES else []
    numbers = [*(name for name in columns if name not in categorical), *beside]
    _warn_of_large_integers(table.frame[numbers], table.integers)
    texts, forced = (tuple(name for name in columns if name in names) for names in (categorical, numeric))
    return TableEncoder(texts, forced, options.missing, leaves_out=table.kind == "named")


def _columns(
    table: Table, options: FitOptions, target: str, weight: str | None, has_numbered: bool = False
) -> list[str]:
    given = {
        "--target": {target},
        "--weight": set() if weight is None else {weight},
        "--drop": set(map(table.column, options.drop)),
        "--categorical": set(map(table.column, options.categorical)),
        "--numeric": set(map(table.column, options.numeric)),
    }
    for first, second in _EXCLUSIVE:
        for name in given[first] & given[second]:
            raise OptionError(f"{first} and {second} both name the column '{name}'")
    dropped = given["--target"] | given["--weight"] | given["--drop"]
    columns = [name for name in table.frame.columns if name not in dropped]
    if not (columns or has_numbered):
        raise OptionError(f"no column is left besides the target '{target}'")
    return columns


def _complete_rows(
    frame: Any, encoder: TableEncoder, columns: list[str], target: str, weight: str | None, missing: str
) -> tuple[Any, dict[str, int]]:
    """Decide the kinds of columns. Return the rows that can be used, and how many were left out by the reason."""
    encoder.decide(frame[columns])
    left_out, notes = encoder.left_out_, encoder.notes_
    used = [*encoder.column_names, target, *([] if weight is None else [weight])]
    dropped: dict[str, int] = {}
    if missing == "error":
        check_complete(frame[used], used[len(encoder.column_names) :])
        return frame, dropped
    outside = [target] if weight is None else [target, weight]
    gone = frame[outside].isna().any(axis=1)
    if gone.any():
        dropped[f"no value of {' or '.join(repr(name) for name in outside)}"] = int(gone.sum())
        frame = frame[~gone]
    if missing == "drop":
        holes = frame[used].isna().any(axis=1)
        if holes.any():
            dropped["missing values"] = int(holes.sum())
            notes = [*notes, f"missing values: {_listed(missing_counts(frame[used]))}"]
            frame = frame[~holes]
    if not len(frame):
        raise TableError("no row is left: each has a missing value; choose --missing mean, median or category")
    if dropped:
        encoder.decide(frame[encoder.column_names])
        encoder.left_out_, encoder.notes_ = {**left_out, **encoder.left_out_}, notes
    return frame, dropped


def _listed(counts: dict[str, int]) -> str:
    return some([f"'{name}' {count:,}" for name, count in counts.items()])


def _split(n: int, options: FitOptions, has_file: bool, places: Array | None) -> tuple[Array, Array, Array]:
    """Return the rows to train on, those that choose the epoch, and those that only test."""
    random = np.random.default_rng(options.random_state)
    test, validation = fractions_of(n, options, has_file)
    rest, tested = split_rows(np.arange(n), test, random, places)
    training, chosen = split_rows(rest, validation / (1 - test), random, places)
    return training, chosen, tested


def fractions_of(n: int, options: FitOptions, has_file: bool) -> tuple[float, float]:
    """Return the part of n rows that only tests, and the part that chooses the epoch.

    Raises
    ------
    OptionError
        They leave no rows to fit, or none for ``--patience``.
    """
    test = default_fraction(n) if options.test_fraction is None else options.test_fraction
    validation = options.validation_fraction
    if has_file and validation:
        raise OptionError("--validation and --validation-fraction exclude each other")
    if validation is None:
        validation = DEFAULT_VALIDATION if options.patience is not None and not has_file else 0.0
    if options.patience is not None and not (has_file or validation):
        raise OptionError("--patience needs rows that choose the epoch: --validation or --validation-fraction")
    if test + validation >= 1:
        raise OptionError(f"--test-fraction and --validation-fraction leave no row to fit: {test:g} + {validation:g}")
    return test, validation


def further_part(table: Table, problem: Any, weight: str | None, unused: list[str]) -> Part:
    """Return the rows of another table, which must have the same columns, as arrays."""
    try:
        name = problem.target.name
        if name not in table and table.target is not None:
            name = table.target
        target = replace(problem.target, name=table.column(name))
        weight = None if weight is None else table.column(weight)
        rows = rows_of(table, problem.encoder, target, weight, problem.sparse, unused)
        used = slice(None) if rows.weight is None else rows.weight > 0
        return Part(rows.X[used], rows.y[used], None if rows.weight is None else rows.weight[used])
    except TableError as error:
        raise TableError(f"--validation {table.name}: {error}") from error


def _warn_of_large_integers(frame: Any, beyond: dict[str, tuple[int, int]]) -> None:
    """Warn of columns of integers beyond 2^53 that vary by little more than the precision of float64.

    ``beyond`` has the ranges of the columns that fit in no integer type: `Table.integers`.
    """
    for name in frame.columns:
        if frame[name].isna().all():
            continue
        if name in beyond:
            least, most = beyond[name]
        elif frame[name].dtype.kind in "iu":
            least, most = int(frame[name].min()), int(frame[name].max())
        else:
            continue
        lost = np.spacing(float(max(-least, most))) / 2
        if max(-least, most) > 2**53 and lost > LOST_PART * (most - least) > 0:
            warnings.warn(
                f"column '{name}' loses most of its digits in float64: subtract {least} from it", stacklevel=3
            )
