"""Benchmarks: `make bench`, `make bench-duties`, `make bench-growth` and `make bench-layers`.

stage.py starts the measured processes, load.py puts them under load and measures; each command has
a module. batch.py, login_storm.py and login_timing.py measure a running server.
"""
