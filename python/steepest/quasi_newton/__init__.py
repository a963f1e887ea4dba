"""QuasiNewton: the optimizer that a user sees, and its runner with the plan, the metrics and the line search.

This folder may use `optimizers` and what that uses.
"""

from __future__ import annotations

from .optimizer import QuasiNewton

__all__ = ["QuasiNewton"]
