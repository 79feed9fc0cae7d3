"""From a mixture to its stems, block by block: the grid, the stream, the separator."""

from tfwavesep.separation.chunking import Grid, Segmenter, live_length, segment_length
from tfwavesep.separation.mixing import parse_gains
from tfwavesep.separation.separator import Separator
from tfwavesep.separation.streaming import PIECE_LENGTH, Course, Piece

__all__ = [
    "PIECE_LENGTH",
    "Course",
    "Grid",
    "Piece",
    "Segmenter",
    "Separator",
    "live_length",
    "parse_gains",
    "segment_length",
]
