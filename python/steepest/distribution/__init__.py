"""What engines over several processes have on both sides of the wire. `dask.py` and `mpi.py` are such engines.

This folder may use `objectives` and all folders that `objectives` may use.
"""
