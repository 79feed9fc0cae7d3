"""What measures the library and writes the pages beside it, run from a checkout: see the README here."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
