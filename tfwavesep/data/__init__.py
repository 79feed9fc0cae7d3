"""Songs with true stems: found, decoded once, and made into training examples.

`examples`, which alone needs TensorFlow, is imported from its room.
"""

from tfwavesep.data.tracks import Track, find_tracks, fingerprint

__all__ = ["Track", "find_tracks", "fingerprint"]
