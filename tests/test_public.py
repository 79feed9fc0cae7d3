"""What the package hands on: places are named by text as well as by paths."""

from pathlib import Path

import pytest
from doubles import separator

import tfwavesep
from tfwavesep import audio
from tfwavesep.config import read_json
from tfwavesep.errors import DataError, ModelError

SONG = Path(__file__).parent.parent / "examples" / "demo_song" / "mixture.flac"


def test_a_song_is_separated_by_its_name(tmp_path: Path) -> None:
    outcome = tfwavesep.separate_file(separator(2), str(SONG), str(tmp_path / "stems"))
    assert {path.parent for path in outcome.stems.values()} == {tmp_path / "stems" / "mixture"}


def test_audio_is_read_and_written_by_name(tmp_path: Path) -> None:
    samples, rate = audio.read(str(SONG))
    audio.write(str(tmp_path / "copy.wav"), samples, rate)
    assert (audio.read(tmp_path / "copy.wav")[0] == samples).all()


def test_a_model_is_found_by_its_path(model: Path) -> None:
    assert tfwavesep.Separator.load(model).targets == tfwavesep.open_backend(model).config.targets


def test_a_preset_is_read_by_its_path(trained: Path) -> None:
    preset = tfwavesep.load_preset(trained / "config.json")
    assert {**preset.to_dict(), "name": "tiny"} == read_json(trained / "config.json")


def test_a_model_is_scored_and_written_by_name(model: Path, trained: Path, data_root: Path, tmp_path: Path) -> None:
    scores = tfwavesep.evaluate(model, str(data_root), "test", str(tmp_path / "scores"), metric="sdr")
    assert not scores.failed
    assert (tmp_path / "scores" / "scores.json").is_file()
    written = tfwavesep.export_model(str(trained), str(tmp_path / "again"), "CC0", str(tmp_path / "scores/scores.json"))
    assert written == tmp_path / "again"


def test_what_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no music"):
        tfwavesep.train(tfwavesep.load_preset("tiny"), str(tmp_path / "no music"), str(tmp_path / "run"))
    with pytest.raises(ModelError, match="no run"):
        tfwavesep.export_model([str(tmp_path / "no run")], str(tmp_path / "model"))
