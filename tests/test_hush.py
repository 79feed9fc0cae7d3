"""Only what people can do something about is shown."""

import os
import sys

import pytest

from tfwavesep.hush import hushed


def test_nothing_is_printed_in_the_block_and_all_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        print("Python")
        print("Python", file=sys.stderr)
        os.write(2, b"C++")

    def fail() -> None:
        with hushed():
            speak()
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert "".join(capfd.readouterr()) == ""
    speak()
    assert capfd.readouterr() == ("Python\n", "Python\nC++")
