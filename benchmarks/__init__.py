"""How fast it is, and what that costs; `make bench`, `make bench-growth`, `make bench-duties`.

stage.py starts what is measured, load.py puts it under load and reads the figures; then there is a
module per command. batch.py, login_storm.py and login_timing.py measure a server that runs already.
"""
