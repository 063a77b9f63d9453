"""Collects the fuzz test only if FUZZ_SECONDS, its duration, is set (`make fuzz`).

Without it pytest fails for this directory, as it collects nothing.
"""

import os

if "FUZZ_SECONDS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
