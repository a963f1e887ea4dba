"""Ranks: processes that run the same program, and the messages by which they work as one.

This folder may use `parts`. MPI is given to it: it imports no package but NumPy.
"""

from __future__ import annotations
