"""Presets: they round-trip, every value is checked, and every refusal names its field."""

import json
from pathlib import Path
from typing import Any

import pytest

from tfwavesep import config
from tfwavesep.config import Preset
from tfwavesep.errors import ConfigError

EACH_PRESET = pytest.mark.parametrize("name", config.preset_names())


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The same values without one dotted key."""
    group, _, rest = key.partition(".")
    if rest:
        return {**values, group: without(values[group], rest)}
    return {k: v for k, v in values.items() if k != key}


@EACH_PRESET
def test_every_preset_round_trips(name: str) -> None:
    preset = config.load_preset(name)
    assert preset.name == name
    assert preset.description
    assert config.preset_from_dict(json.loads(json.dumps(preset.to_dict()))) == preset


@EACH_PRESET
def test_no_settings_change_nothing(name: str) -> None:
    preset = config.load_preset(name)
    assert config.override(preset, []) == preset


@pytest.mark.parametrize(
    ("setting", "group", "field", "expected"),
    [
        ("training.learning_rate=3e-4", "training", "learning_rate", 3e-4),
        ("training.epochs=7", "training", "epochs", 7),
        ("training.learning_rate=1", "training", "learning_rate", 1.0),
        ("training.schedule=cosine", "training", "schedule", "cosine"),
        ('training.schedule="cosine"', "training", "schedule", "cosine"),
        ("training.clip_norm=5", "training", "clip_norm", 5.0),
        ("training.clip_norm=null", "training", "clip_norm", None),
        ("training.mixed_precision=true", "training", "mixed_precision", True),
        ("data.target_length=4001", "data", "target_length", 4001),
        ("model.filters=9", "model", "filters", 9),
        ("model.head=[3, 4]", "model", "head", (3, 4)),
        ('model.stems=["vocals"]', "model", "stems", ("vocals",)),
        ("loss.name=l1", "loss", "name", "l1"),
        ("loss.options.weight=0.1", "loss", "options", {"weight": 0.1}),
        ('loss.options={"weight": 0.1}', "loss", "options", {"weight": 0.1}),
    ],
)
def test_override_sets_one_value(tiny: Preset, setting: str, group: str, field: str, expected: Any) -> None:
    residual = ["model.residual=accompaniment"] if "stems" in setting else []
    changed = config.override(tiny, [*residual, setting])
    value = getattr(getattr(changed, group), field)
    assert value == expected
    assert type(value) is type(expected)
    before, after = tiny.to_dict(), changed.to_dict()
    if not residual:
        assert without(after, f"{group}.{field}") == without(before, f"{group}.{field}")


def test_later_settings_win_and_the_preset_stays(tiny: Preset) -> None:
    before = tiny.to_dict()
    assert config.override(tiny, ["training.epochs=5", "training.epochs=6"]).training.epochs == 6
    assert tiny.to_dict() == before


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epochs", "must be key=value"),
        ("training.epochs=true", r"training\.epochs = True: must be int"),
        ("training.epochs=2.0", r"training\.epochs = 2\.0: must be int"),
        ("training.epochs=ten", r"training\.epochs = 'ten': must be int"),
        ('training.epochs="10"', r"training\.epochs = '10': must be int"),
        ("training.epochs=null", r"training\.epochs = None: must be int"),
        ("training.learning_rate=true", r"training\.learning_rate = True: must be float"),
        ("training.learning_rate=fast", r"training\.learning_rate = 'fast': must be float"),
        ("training.mixed_precision=1", r"training\.mixed_precision = 1: must be bool"),
        ("training.clip_norm=much", r"training\.clip_norm = 'much': must be float"),
        ("model.head=5", r"model\.head = 5: must be tuple"),
        ("model.head=[1.5, 2]", r"model\.head = 1\.5: must be int"),
        ("model.stems=vocals", r"model\.stems = 'vocals': must be tuple"),
        ("name=5", r"name = 5: must be str"),
        ("architecture=5", r"architecture = 5: must be str"),
        ("loss.options=5", r"loss\.options = 5: must be dict"),
    ],
)
def test_wrong_types_are_refused_by_field(tiny: Preset, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.override(tiny, [setting])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.swap_channels=true", r"data\.swap_channels = True: false: the model is mono"),
        ("data.remix=1.1", r"data\.remix = 1\.1: a share from 0 to 1"),
        ("data.draw=album", r"data\.draw = 'album': song or minute"),
        ("data.drop=-0.1", r"data\.drop = -0\.1: a share from 0 to 1"),
        ("data.voiced_share=2", r"data\.voiced_share = 2\.0: a share"),
        ("data.extra_share=-1", r"data\.extra_share = -1\.0: a share"),
        ("data.remix=NaN", r"data\.remix = nan: a share"),
        ("data.target_length=0", r"data\.target_length = 0: at least 1 sample"),
        ("data.gain_min=0", r"data\.gain_min, data\.gain_max = \(0\.0, 1\.2\): 0 < gain_min <= gain_max"),
        ("data.gain_max=0.1", r"\(0\.5, 0\.1\): 0 < gain_min <= gain_max"),
        ("training.batch_size=0", r"training\.batch_size = 0: at least 1"),
        ("training.steps_per_epoch=0", r"training\.steps_per_epoch = 0: at least 1"),
        ("training.epochs=-1", r"training\.epochs = -1: at least 1"),
        ("training.patience=0", r"training\.patience = 0: at least 1"),
        ("training.cpu_seconds=0", r"training\.cpu_seconds = 0\.0: above 0, or null"),
        ("training.learning_rate=0", r"training\.learning_rate = 0\.0: above 0"),
        ("training.learning_rate=NaN", r"training\.learning_rate = nan: above 0"),
        ("training.learning_rate=Infinity", r"training\.learning_rate = inf: above 0, and finite"),
        ("training.clip_norm=-1", r"training\.clip_norm = -1\.0: above 0, or null"),
        ("training.weight_decay=-1", r"training\.weight_decay = -1\.0: at least 0, or null"),
        ("training.seed=-1", r"training\.seed = -1: from 0 to"),
        ("training.schedule=cosin", r"training\.schedule 'cosin': did you mean 'cosine'"),
        ("model.sample_rate=44", r"sample_rate = 44: in Hz, at least 1000"),
        ("model.channels=3", r"channels = 3: 1 \(mono\) or 2 \(stereo\)"),
        ("model.residual=null", r"stems \+ residual = 'vocals, drums, bass': together they must hold"),
        ("model.residual=guitar", r"unknown stem 'guitar'"),
        ("model.filters=0", r"filters = 0: at least 1"),
        ("model.head=[1]", r"head = \(1,\): two numbers"),
        ("architecture=wavnet", r"unknown architecture 'wavnet': did you mean 'wavenet'"),
    ],
)
def test_values_out_of_range_are_refused_by_field(tiny: Preset, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.override(tiny, [setting])


def test_a_length_the_network_cannot_have_is_refused_with_the_nearest() -> None:
    default = config.load_preset("default")
    length = default.data.target_length
    with pytest.raises(ConfigError, match=f"target_length = {length + 1}: .*nearest: {length}"):
        config.override(default, [f"data.target_length={length + 1}"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.learning_rat=1", "did you mean 'training.learning_rate'"),
        ("data.remx=1", "did you mean 'data.remix'"),
        ("model.filter=1", "did you mean 'model.filters'"),
        ("learning_rate=1", "did you mean 'training.learning_rate'"),
        ("loss.nam=l1", "did you mean 'loss.name'"),
        ("training={}", "unknown key 'training'"),
        ("training.=1", "unknown key 'training.'"),
        ("=1", "unknown key ''"),
        ("loss.options.a.b=1", "unknown key 'loss.options.a.b'"),
    ],
)
def test_unknown_keys_suggest_the_nearest(tiny: Preset, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.override(tiny, [setting])


@pytest.mark.parametrize("group", ["", "model.", "data.", "training.", "loss."])
def test_unknown_keys_in_a_file_are_refused_with_their_full_name(tiny: Preset, group: str) -> None:
    values = tiny.to_dict()
    (values[group.rstrip(".")] if group else values)["colour"] = "blue"
    with pytest.raises(ConfigError, match=f"unknown key '{group}colour'"):
        config.preset_from_dict(values)


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "description",
        "architecture",
        "model",
        "loss",
        "data",
        "training",
        "model.sample_rate",
        "model.stems",
        "data.target_length",
    ],
)
def test_missing_keys_are_named(tiny: Preset, key: str) -> None:
    with pytest.raises(ConfigError, match=f"'{key}' is missing"):
        config.preset_from_dict(without(tiny.to_dict(), key))


@pytest.mark.parametrize("key", ["loss.name", "data.remix", "training.epochs", "model.residual"])
def test_other_keys_have_defaults(tiny: Preset, key: str) -> None:
    if key == "model.residual":
        tiny = config.override(tiny, ['model.stems=["vocals", "drums", "bass", "other"]', "model.residual=null"])
    group, field = key.split(".")
    default = type(getattr(tiny, group)).__dataclass_fields__[field].default
    preset = config.preset_from_dict(without(tiny.to_dict(), key))
    assert getattr(getattr(preset, group), field) == default


def test_a_group_must_be_a_group(tiny: Preset) -> None:
    with pytest.raises(ConfigError, match="training = 5: must be a group of keys"):
        config.preset_from_dict({**tiny.to_dict(), "training": 5})


def test_unknown_presets_suggest_the_nearest_and_a_path() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'tinny': did you mean 'tiny'\? .*path of a \.json file"):
        config.load_preset("tinny")


def test_a_preset_of_your_own_is_named_after_its_file(tiny: Preset, tmp_path: Path) -> None:
    path = tmp_path / "mine ö.json"
    path.write_text(json.dumps(without(tiny.to_dict(), "name")), encoding="utf-8")
    preset = config.load_preset(str(path))
    assert preset.name == "mine ö"
    assert without(preset.to_dict(), "name") == without(tiny.to_dict(), "name")


def test_a_preset_file_that_says_its_name_keeps_it(tiny: Preset, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tiny.to_dict()), encoding="utf-8")
    assert config.load_preset(str(path)) == tiny


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n "model": {\n  "filters": 8,,\n }\n}', "line 3 is not json"),
        (b"", "line 1 is not json"),
        (b"[1, 2]", "must hold a json object"),
        (b"\xff\xfe", "cannot be read"),
        (b"{}", "'architecture' is missing"),
    ],
)
def test_bad_preset_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        config.load_preset(str(path))


def test_a_missing_preset_file_is_told_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(ConfigError, match=f"{path}: no such file"):
        config.load_preset(str(path))
