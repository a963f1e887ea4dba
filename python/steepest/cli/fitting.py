"""From a table to a fitted model: the steps behind `steepest fit` and `steepest demo`."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import steepest as st

from ..optimizers.names import DEFAULT_RATES, OPTIMIZERS
from .encoding import Array, ColumnScaling, Encoder, Label, check_complete, encode_target, split_rows, two_classes_of
from .model_file import LossName, Model
from .tables import Table, TableError

QUASI_NEWTON = "quasi-newton"
DEFAULT_BATCH_SIZE = 256
LOST_PART = 1e-3  # largest rounding error of a column without a warning, as a part of the column's range


@dataclass
class FitOptions:
    """The options of `steepest fit`.

    Attributes
    ----------
    loss : {"least-squares", "logistic"}
    target : str or None
        Column to predict. None means the column that the file format marks.
    drop : tuple of str
        Columns to leave out.
    text : tuple of str
        Columns to read as text, whatever they hold.
    optimizer : str
        "quasi-newton", or a key of OPTIMIZERS.
    learning_rate : float or None
        A constant rate. None means the rate in DEFAULT_RATES with cosine decay.
    batch_size : int, None or "auto"
        Rows of a step. None means all rows. "auto" means all rows with "quasi-newton", else 256.
    alpha, l1_ratio : float
        The penalty. With `standardize`, it applies to the coefficients of the standardised columns.
    validation_fraction : float
        Part of the rows to hold out, in [0, 1). The parameters with the lowest loss on them are kept.
    patience : int or None
        Number of epochs without a lower validation loss after which the run stops. None means no such rule.
    tol : float
        The run stops at this gradient norm.
    standardize : bool
        Whether to descend on columns of mean 0 and deviation 1. For least squares this includes the target. The
        statistics are those of the training rows.
    """

    loss: LossName
    target: str | None = None
    drop: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    optimizer: str = QUASI_NEWTON
    learning_rate: float | None = None
    batch_size: int | Literal["auto"] | None = "auto"
    max_epochs: int = 100
    max_seconds: float | None = None
    alpha: float = 0.0
    l1_ratio: float = 0.0
    validation_fraction: float = 0.1
    patience: int | None = None
    tol: float = 1e-6
    standardize: bool = True
    dtype: Literal["float32", "float64"] = "float64"
    random_state: int | None = 0


class OptionError(ValueError):
    """An error for options that contradict each other, or for one that is missing."""


@dataclass
class Split:
    """Encoded and scaled rows: X of shape (rows, features), y of shape (rows,)."""

    X: Array
    y: Array


class Problem:
    """A table as the arrays of an objective, split into training rows and held-out rows.

    Parameters
    ----------
    table : Table
    options : FitOptions

    Raises
    ------
    TableError
        The table cannot be used. The message names the column.
    """

    def __init__(self, table: Table, options: FitOptions) -> None:
        self.options = options
        self.sparse = table.kind == "sparse"
        self.target = table.target_column(options.target)
        columns = self._columns(table)
        frame = table.frame[[*columns, self.target]]
        check_complete(frame)
        self.text = {table.column(name) for name in options.text}
        frame = frame.assign(**{name: frame[name].map(str) for name in self.text & set(frame.columns)})
        self.classes: list[Label] | None = two_classes_of(frame[self.target]) if options.loss == "logistic" else None
        training_rows, held_out_rows = split_rows(len(frame), options.validation_fraction, options.random_state)
        training_frame = frame.iloc[training_rows]
        if self.classes is not None:
            two_classes_of(training_frame[self.target])
        self.encoder = Encoder.of(frame[columns], self.text)  # levels are not statistics, so they come from all rows
        self.training = self._encode(training_frame)
        self.held_out = self._encode(frame.iloc[held_out_rows]) if len(held_out_rows) else None
        self._warn_of_large_integers(training_frame, table.integers)
        if not options.standardize and options.dtype == "float32":
            self._warn_of_lost_digits(training_frame)
        self._standardize()

    def _columns(self, table: Table) -> list[str]:
        dropped = {self.target, *map(table.column, self.options.drop)}
        columns = [name for name in table.frame.columns if name not in dropped]
        if not columns:
            raise OptionError(f"no column is left besides the target '{self.target}'")
        return columns

    def _encode(self, frame: Any) -> Split:
        # Statistics are computed in float64, so a column far from zero keeps its digits even if the dtype is float32.
        dtype = np.float64 if self.options.standardize else self.options.dtype
        y = encode_target(frame[self.target], self.classes, dtype)
        return Split(self.encoder.encode(frame, dtype), y)

    def _numeric(self) -> list[str]:
        names = [*self.encoder.columns, *[self.target] * (self.classes is None)]
        return [name for name in names if name not in self.encoder.categories]

    def _warn_of_large_integers(self, frame: Any, beyond: dict[str, tuple[int, int]]) -> None:
        """Warn of columns of integers beyond 2^53 that vary by little more than the precision of float64.

        ``beyond`` has the ranges of the columns that fit in no integer type: `Table.integers`.
        """
        for name in self._numeric():
            if name in beyond:
                least, most = beyond[name]
            elif frame[name].dtype.kind in "iu":
                least, most = int(frame[name].min()), int(frame[name].max())
            else:
                continue
            lost = np.spacing(float(max(-least, most))) / 2
            if max(-least, most) > 2**53 and lost > LOST_PART * (most - least) > 0:
                warnings.warn(
                    f"column '{name}' loses most of its digits in float64: subtract {least} from it", stacklevel=4
                )

    def _warn_of_lost_digits(self, frame: Any) -> None:
        """Warn of columns that vary by little more than the precision of float32."""
        for name in self._numeric():
            values = frame[name].to_numpy(np.float64)
            lost, spread = np.abs(values - values.astype(np.float32)).max(), np.ptp(values)
            if lost > LOST_PART * spread > 0:
                instead = "leave --no-standardize out, or take --dtype float64"
                warnings.warn(f"column '{name}' loses most of its digits in float32: {instead}", stacklevel=4)

    def _standardize(self) -> None:
        scale = self.options.standardize
        self.scaling = ColumnScaling.of(self.training.X) if scale else ColumnScaling.none(self.training.X.shape[1])
        self.target_scaling = (
            ColumnScaling.of(self.training.y) if scale and self.classes is None else ColumnScaling.none(1)
        )
        for split in filter(None, (self.training, self.held_out)):
            if scale:
                self.scaling.apply(split.X)
                self.target_scaling.apply(split.y)
                split.X, split.y = self._cast(split.X), self._cast(split.y)

    def _cast(self, values: Array) -> Array:
        with np.errstate(over="ignore"):
            cast: Array = values.astype(self.options.dtype, copy=False)
        if not np.isfinite(cast).all():
            raise TableError(f"a held-out row is too far from the training rows for {self.options.dtype}")
        return cast

    def descend(self, progress: bool = False) -> st.Result:
        """Run the optimizer.

        Raises
        ------
        OptionError
            The optimizer needs a learning rate, or does not take one of the given options.
        """
        options = self.options
        loss = st.Logistic if options.loss == "logistic" else st.LeastSquares
        objective = loss(self.training.X, self.training.y, alpha=options.alpha, l1_ratio=options.l1_ratio)
        n = len(self.training.y)
        batch_size = _batch_size(options, n)
        stop: list[Any] = [st.stop.GradientNorm(options.tol)]
        if self.held_out is not None and options.patience is not None:
            stop.append(st.stop.NoImprovement(options.patience))
        return st.minimize(
            objective,
            optimizer=make_optimizer(options, options.max_epochs * math.ceil(n / (batch_size or n))),
            batch_size=batch_size,
            max_epochs=options.max_epochs,
            max_seconds=options.max_seconds,
            stop=stop,
            validation=None if self.held_out is None else (self.held_out.X, self.held_out.y),
            random_state=options.random_state,
            progress=progress,
        )

    def scores(self, w: Array, split: Split) -> dict[str, float]:
        """Return the scores of parameters w: accuracy, or R2 and the root mean squared error in the target's units."""
        z = split.X @ w[:-1] + w[-1]
        if self.classes is not None:
            return {"accuracy": float(np.mean((z > 0) == (split.y > 0.5)))}
        squared = float(np.mean((z - split.y) ** 2, dtype=np.float64))
        variance = float(np.var(split.y, dtype=np.float64))
        return {
            "R2": 1 - squared / variance if variance > 0 else math.nan,
            "root mean squared error": math.sqrt(squared) * float(self.target_scaling.scale[0]),
        }

    def model(self, w: Array) -> Model:
        """Return the model with parameters w, converted to the units of the table."""
        target_mean, target_scale = float(self.target_scaling.mean[0]), float(self.target_scaling.scale[0])
        coefficients = w[:-1].astype(np.float64) / self.scaling.scale * target_scale
        intercept = float(w[-1]) * target_scale + target_mean - float(self.scaling.mean @ coefficients)
        return Model(
            loss=self.options.loss,
            target=self.target,
            classes=self.classes,
            columns=self.encoder.columns,
            categories=self.encoder.categories,
            coefficients=dict(zip(self.encoder.features, coefficients.tolist(), strict=True)),
            intercept=intercept,
            sparse=self.sparse,
            version=st.__version__,
        )


def _batch_size(options: FitOptions, n: int) -> int | None:
    size = options.batch_size
    if size == "auto":
        size = None if options.optimizer == QUASI_NEWTON else DEFAULT_BATCH_SIZE
    if size is None or size >= n:
        return None
    if options.optimizer == QUASI_NEWTON:
        raise OptionError("--batch-size: quasi-newton takes all rows; choose 'all' or another --optimizer")
    return size


def make_optimizer(options: FitOptions, n_steps: int) -> Any:
    """Return the optimizer of the options, for a run of at most n_steps steps.

    Raises
    ------
    OptionError
        The optimizer has no default learning rate and none was given, or it takes none and one was given.
    """
    rate: Any = options.learning_rate
    if options.optimizer == QUASI_NEWTON:
        if rate is not None:
            raise OptionError("--learning-rate: quasi-newton has none; choose another --optimizer")
        return st.QuasiNewton()
    if rate is None:
        if options.optimizer not in DEFAULT_RATES:
            raise OptionError(f"--learning-rate is needed: {options.optimizer} has no default")
        rate = st.schedules.CosineDecay(DEFAULT_RATES[options.optimizer], max(1, n_steps))
    return OPTIMIZERS[options.optimizer](rate)
