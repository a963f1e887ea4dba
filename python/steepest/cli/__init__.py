"""The command line: its commands, tables from files, their encoding, and the file of a model.

This folder may use the package as a user does; nothing but `__main__` imports it.
"""
