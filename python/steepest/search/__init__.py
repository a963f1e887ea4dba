"""Searches for a learning rate: the range test and the grid.

This folder may use `descent` and what that uses.
"""
