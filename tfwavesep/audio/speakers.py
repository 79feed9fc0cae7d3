"""Which channel is which: inside, channels stand in WAV's order, and a mask has a bit for each speaker that has one.

Reference:
    Microsoft, WAVEFORMATEXTENSIBLE, dwChannelMask; Vorbis I, section 4.3.9, whose order Opus takes over
    (RFC 7845, section 5.1.1.2).
"""

from collections.abc import Sequence

SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR"),
    *("TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
"""By FFmpeg's names, in the order of the mask's bits."""

USUAL = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""Masks of so many channels where nothing is told, as FLAC and Vorbis fix them."""

VORBIS = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
"""For each number of channels where the channels of WAV's order are in Vorbis'."""


def mask(names: Sequence[str]) -> int | None:
    """The mask of some speakers, None if it cannot tell of one of them.

    >>> mask(["FL", "FR", "FC", "LFE", "SL", "SR"]) == 0x60F, mask(["FL", "UNK"])
    (True, None)
    """
    if not set(names) <= set(SPEAKERS):
        return None
    return sum(1 << SPEAKERS.index(name) for name in names)


def order(names: Sequence[str]) -> list[int] | None:
    """Where the channels of WAV's order are among these, None if they stand so already, or nobody knows.

    >>> order(["FC", "FL", "FR"]), order(["FL", "FR"])
    ([1, 2, 0], None)
    """
    if mask(names) is None:
        return None
    found = sorted(range(len(names)), key=lambda place: SPEAKERS.index(names[place]))
    return None if found == list(range(len(names))) else found
