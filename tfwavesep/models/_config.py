"""What the `Config` of every architecture has in common."""

from dataclasses import dataclass

from tfwavesep import stems as names
from tfwavesep.errors import require


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a network separates, and at which rate.

    Attributes:
        sample_rate: Hz.
        channels: audio channels the network sees at once (1 or 2).
        stems: what the network estimates, in the order of its output.
        residual: name of what is left when the estimates are taken from the mixture, or None for a
            network whose estimates sum to the mixture by themselves.
    """

    sample_rate: int
    channels: int
    stems: tuple[str, ...]
    residual: str | None = None

    def __post_init__(self) -> None:
        require(self.sample_rate >= 1000, "sample_rate", self.sample_rate, "in Hz, at least 1000")
        require(self.channels in (1, 2), "channels", self.channels, "1 (mono) or 2 (stereo)")
        require(
            names.sum_to_mixture(self.targets),
            "stems + residual",
            ", ".join(self.targets),
            "together they must hold vocals, drums, bass and other exactly once (accompaniment = drums + bass + other)",
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """All that comes out of a separation: the estimates, then the residual."""
        return self.stems + ((self.residual,) if self.residual else ())

    @property
    def parts(self) -> "tuple[tuple[str, ModelConfig], ...]":
        """The networks that this one is made of and that are trained each by itself, as architecture and config; none
        for a network that is trained as it is."""
        return ()

    @property
    def context(self) -> int:
        """Samples of real input needed before an output sample."""
        raise NotImplementedError

    @property
    def lookahead(self) -> int:
        """Samples of real input needed after an output sample; as many as before, unless a network says otherwise."""
        return self.context

    @property
    def block(self) -> int:
        """Output lengths must be a multiple of this, in samples."""
        raise NotImplementedError

    def input_length(self, target_length: int) -> int:
        """Samples that must go in for `target_length` samples to come out.

        Raises:
            ConfigError: the network cannot produce this length; the nearest that works is named.
        """
        self.require_blocks("target_length", target_length)
        return self.context + target_length + self.lookahead

    def require_blocks(self, name: str, samples: int) -> None:
        """Refuse what is not whole blocks.

        Raises:
            ConfigError: the nearest that works is named.
        """
        nearest = max(self.block, round(samples / self.block) * self.block)
        rule = f"a positive multiple of {self.block} samples (nearest: {nearest})"
        require(samples > 0 and samples % self.block == 0, name, samples, rule)
