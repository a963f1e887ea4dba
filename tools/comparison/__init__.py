"""What `tools/compare_builds.py` is made of: cases, tables of digests, shapes to time and paired timings.

The cases and the shapes use public names of `steepest`, and its list of losses. They run unchanged on an older and on a
newer tree.
"""
