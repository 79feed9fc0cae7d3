"""What is compared: each system is a preset and what differs from it."""

from benchmarks.results.runs import System

NARROW = ("model.filters=32", "model.head=[128, 32]", "data.target_length=16000")
SHORT_FRAMES = (
    "model.size=2048", "model.hop=1024", "model.bands=[[24, 1], [20, 2], [12, 4], [1, 16]]", "model.stacks=2",
    "model.dilations=4",
)  # fmt: skip

SYSTEMS = (
    System("wavenet", "the paper's WaveNet", "wavenet_multi_instrument", ("data.target_length=8000",)),
    System("wavenet_narrow", "narrow WaveNet", "wavenet_multi_instrument", NARROW),
    System("waveunet", "Wave-U-Net M6", "waveunet_m6", ("data.target_length=65536",)),
    System("deepconvsep", "DeepConvSep", "deepconvsep", ("data.target_length=133120",)),
    System("framed", "WaveNet on frames", "framed_wavenet_stereo"),
    System("banded", "WaveNet on bands", "banded_wavenet", SHORT_FRAMES),
)
"""Each with the loss of its preset. Examples are as long as makes its training quick, up to three seconds."""

LOSSES = (
    System("two_term", "two-term", "wavenet_multi_instrument", (*NARROW, "loss.name=two_term")),
    System("l1", "L1", "wavenet_multi_instrument", (*NARROW, "loss.name=l1")),
    System("dissimilarity", "L1 and dissimilarity", "wavenet_multi_instrument", (*NARROW, "loss.name=dissimilarity")),
    System("log_error", "log of relative error", "wavenet_multi_instrument", (*NARROW, "loss.name=log_error")),
)
"""The narrow WaveNet with each loss. It leaves a residual: for a network that does not, the two-term loss is L1."""

GROUPS = {"compute": SYSTEMS, "audio": SYSTEMS, "losses": LOSSES}
