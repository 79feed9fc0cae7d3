"""What libraries tell of themselves while they work, kept from people who can do nothing about it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def hushed() -> Iterator[None]:
    """Show no progress bars, summaries and warnings in the block, whether Python or C++ writes them; what goes wrong is
    an exception."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
