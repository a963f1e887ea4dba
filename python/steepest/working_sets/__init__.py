"""L1 penalties over wide data: working sets of columns, coordinate descent on copies of them, and duality gaps.

This folder may use `optimizers` and what that uses.
"""
