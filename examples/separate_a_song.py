"""Separate a song from Python: `python examples/separate_a_song.py SONG FOLDER`."""

import sys

from tfwavesep import Separator, separate_file

if len(sys.argv) != 3:
    sys.exit(__doc__)
song, folder = sys.argv[1:]
separator = Separator.load("default")
for stem, path in separate_file(separator, song, folder).stems.items():
    print(stem, path)
