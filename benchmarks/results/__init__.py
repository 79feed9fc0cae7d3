"""The systems of the paper, and ours, under one budget: RESULTS.md and RESULTS.png."""
