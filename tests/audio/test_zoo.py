"""Every file of the zoo has the outcome that is written beside it, in one line, and leaves nothing half-made."""

import os
import re
from pathlib import Path

import pytest
import soundfile
from doubles import separator
from zoo import ZOO, Animal

from tfwavesep.audio import is_named_so
from tfwavesep.batch import separate_file
from tfwavesep.errors import AudioError


def test_the_zoo_is_large() -> None:
    assert len(ZOO) >= 160
    assert len({animal.name for animal in ZOO}) == len(ZOO)


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: ascii(animal.name)[1:50])
def test_outcome(animal: Animal, tmp_path: Path) -> None:
    path = tmp_path / animal.name
    animal.make(path)
    if animal.error is not None:
        with pytest.raises(AudioError) as caught:
            separate_file(separator(2, 1), path, tmp_path / "stems")
        text = str(caught.value)
        assert re.search(animal.error, text)
        assert str(path) in text
        assert not (tmp_path / "stems").exists()
        return
    outcome = separate_file(separator(2, 1), path, tmp_path / "stems")
    if animal.warning:
        assert re.search(animal.warning, "; ".join(outcome.warnings))
    else:
        assert outcome.warnings == []
    infos = [soundfile.info(os.fsencode(stem)) for stem in outcome.stems.values()]
    assert len({(info.samplerate, info.channels, info.frames) for info in infos}) == 1
    rate, frames = infos[0].samplerate, infos[0].frames
    if animal.frames is None:
        assert frames / rate == pytest.approx(animal.seconds, abs=0.12)
    else:
        assert frames == animal.frames


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: ascii(animal.name)[1:50])
def test_what_is_separated_when_it_is_named_is_found_in_a_folder_too(animal: Animal) -> None:
    assert animal.error or is_named_so(Path(animal.name)) or not Path(animal.name).suffix
