"""How fast, and in how much memory: each script writes its section of SPEED.md."""
