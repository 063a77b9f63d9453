"""Imports: files of other services become lists, labels, filters and tasks.

A worker reads the file, plans in which order its things are made, and makes them in batches.
"""
