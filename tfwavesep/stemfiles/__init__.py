"""Stems as whole steps that sum to their mixture: their files, the check of their sum, a picture of them."""

from tfwavesep.stemfiles.check import null_depth, stems_in
from tfwavesep.stemfiles.picture import plot, require_matplotlib
from tfwavesep.stemfiles.writing import CLIP_MODES, Choice, Leveller, PieceFile, Written, stem_files

__all__ = [
    "CLIP_MODES",
    "Choice",
    "Leveller",
    "PieceFile",
    "Written",
    "null_depth",
    "plot",
    "require_matplotlib",
    "stem_files",
    "stems_in",
]
