"""The sets that parameters are kept in, and the projections onto them.

This folder may use `arrays`.
"""

from __future__ import annotations

from .sets import Box, Constraint, Simplex

__all__ = ["Box", "Constraint", "Simplex"]
