"""`Online`: what `partial_fit` keeps from one call to the next."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import Columns
from .rows import Parameters
from .units import Units

__all__ = ["Growth", "Online"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Growth:
    """The step from some classes to more of them. The parameters are those of one class after the other.

    A new class starts with the mean of the other classes' parameters, and with a state of zeros. The odds of the other
    classes stay as they are, and the most probable one of them stays the most probable class. One score of two classes
    becomes two, of opposite sign.

    Attributes
    ----------
    places : array of int
        The indices of the old classes among the new ones.
    n_classes : int
        The number of new classes.
    """

    places: NDArray[np.intp]
    n_classes: int

    def parameters(self, table: Array) -> Array:
        """Return a table of parameters of shape (k, n) for the new classes."""
        if len(self.places) == 2:
            table = np.concatenate([-table / 2, table / 2])
        found = np.tile(table.mean(axis=0, dtype=np.float64).astype(table.dtype), (self.n_classes, 1))
        found[self.places] = table
        return found

    def state(self, name: str, array: Array, n_rows: int) -> Array:
        """Return an optimizer's array of state, of n_rows scores, for the new classes."""
        table = array.reshape(n_rows, -1)
        if len(self.places) == 2:
            table = np.concatenate([table if name.startswith("square") else -table, table])
        found = np.zeros((self.n_classes, table.shape[1]), table.dtype)
        found[self.places] = table
        return found.ravel()


@dataclass
class Online:
    """The state that `partial_fit` keeps from one call to the next. A call replaces it only if it succeeds.

    Attributes
    ----------
    optimizer : Optimizer or None
        The optimizer with its state, made from ``made_from``, the name or the optimizer of the user.
    columns, targets : Columns or None
        Statistics of all columns and targets so far.
    weight : float
        The sum of all weights so far.
    w : array or None
        The parameters that the last steps reached, in ``units``.
    exact, stored : Parameters or None
        The parameters in the original units, and what the estimator stored of them. Others there are from the user.
    behind : native descent or None
        The descent that reached w, if some parameters of w miss steps.
    penalty : Penalty or None
        The penalty of the last call, in ``units``.
    curvature : float
        The largest curvature of all calls, from which the learning rate follows.
    direction : array or None
        The direction of the largest curvature of the last call.
    null_loss : float
        The largest loss that zeros had in a call.
    """

    optimizer: Any = None
    made_from: Any = None
    learning_rate: Any = None
    columns: Columns | None = None
    targets: Columns | None = None
    weight: float = 0.0
    w: Array | None = None
    units: Units | None = None
    exact: Parameters | None = None
    stored: Parameters | None = None
    behind: Any = None
    penalty: Any = None
    curvature: float = 0.0
    direction: Array | None = None
    null_loss: float = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.settled().__dict__)

    def settled(self) -> Online:
        """Return the same state, with parameters that miss no steps."""
        if self.behind is None or self.w is None:
            return self
        optimizer, w = self.optimizer.twin(), np.empty_like(self.w)
        self.behind.copy_settled(w, optimizer.state_for(w))
        return dataclasses.replace(self, optimizer=optimizer, w=w, behind=None)

    def has_stored(self, start: Parameters) -> bool:
        """Return whether parameters are those that the last call stored."""
        return self.stored is not None and all(
            np.array_equal(found, given)
            for found, given in (
                (self.stored.coefficients, start.coefficients),
                (self.stored.intercepts, start.intercepts),
            )
        )

    def grown(self, growth: Growth, start: Parameters) -> tuple[Online, Parameters]:
        """Return the state and the parameters for more classes."""
        own = self.settled()
        known = own.has_stored(start) and own.w is not None and own.exact is not None
        stored = _grown(growth, start)
        found = dataclasses.replace(own, w=None, exact=None, stored=stored)
        rows = len(start.coefficients)
        if known:
            assert own.w is not None
            assert own.exact is not None
            found.w = growth.parameters(own.w.reshape(rows, -1)).ravel()
            found.exact = _grown(growth, own.exact)
        if own.optimizer is not None:
            found.optimizer = own.optimizer.twin()
            found.optimizer.map_state(lambda name, array: growth.state(name, array, rows))
        return found, stored


def _grown(growth: Growth, parameters: Parameters) -> Parameters:
    intercepts = growth.parameters(parameters.intercepts[:, None])[:, 0]
    return Parameters(growth.parameters(parameters.coefficients), intercepts)
