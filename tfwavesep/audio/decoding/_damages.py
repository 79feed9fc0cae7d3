"""What is wrong with a file that is being read, and whether it is read all the same."""

from tfwavesep.errors import AudioError


class Damages:
    """What was found wrong so far.

    Args:
        name: of the file.
        take: whether what is there of a file that is not whole is read; else that is an error.

    Attributes:
        name: of the file.
        take: whether it is read all the same.
        lines: about what was lost, in the order it was met.
    """

    def __init__(self, name: str, take: bool = False) -> None:
        self.lines: list[str] = []
        self.take = take
        self.name = name

    def refuse(self, text: str, cause: Exception | None = None) -> None:
        """The file is not whole; returns if it is read all the same.

        Raises:
            AudioError: it is not.
        """
        if not self.take:
            raise AudioError(f"{self.name}: {text} (separate --damaged take takes what is there)") from cause
        self.lines.append(text)
