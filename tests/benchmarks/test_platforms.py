"""The page of platforms: extras are followed, and what stands in the way is named."""

import configparser

import pytest

from benchmarks import platforms


def test_extras_that_name_others_are_followed() -> None:
    setup = configparser.ConfigParser()
    setup.read(platforms.SETUP)
    everything = platforms.requirements(setup, "test")
    assert not [line for line in everything if line.startswith("tfwavesep")]
    assert set(platforms.requirements(setup, "train")) < set(everything)
    assert set(platforms.requirements(setup, "")) < set(platforms.requirements(setup, "train"))


def test_the_package_in_the_way_is_named() -> None:
    told = "cause: Because tensorflow-io==0.37.1 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you"
    assert platforms.reason(told) == "no wheel of tensorflow-io"
    with pytest.raises(RuntimeError, match="uv: cause: error sending request"):
        platforms.reason("cause: error sending request")


def test_every_system_has_all_it_needs() -> None:
    assert "no wheel" not in platforms.PAGE.read_text()
