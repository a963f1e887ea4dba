"""Searches for a learning rate: the range test and the grid.

This folder may use `descent` and every folder that `descent` uses.
"""
