"""`python -m tfwavesep_cli`."""

from .main import main

main()
