"""Data in parts, which need not fit in memory: files and iterables are read part by part, ahead of their use.

This folder may use `arrays/`, `extras` and `warnings`.
"""
