"""The file of a checkpoint: its format, its generations, and how it is written so that no crash can spoil it.

This folder may use `arrays`, and knows nothing of runs.
"""
