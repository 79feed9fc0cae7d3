"""What there is to know about models on disk, in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tfwavesep import store
from tfwavesep.errors import ModelError
from tfwavesep.separation import Course, Grid, live_length, segment_length
from tfwavesep.store import CONFIG, FORMS, StoredConfig, StoredModel


def find(model: str) -> StoredModel:
    """A model by its name, folder or zip file, whose files are all what was exported.

    Raises:
        ModelError: there is no such model, or one of its files is damaged, changed or missing.
    """
    form = store.find_form(model)
    found = store.read(form.parent)
    for name in FORMS:
        if (found.folder / name).exists():
            store.verify(found, found.folder / name)
    return found


@contextmanager
def _as_told(model: StoredModel) -> Iterator[None]:
    """What a `config.json` tells beyond what a runtime needs is looked at here alone, and may be anything."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = "something of its scores, training or forms is not what `tfwavesep export` writes"
        raise ModelError(f"{model.folder / CONFIG}: is damaged: {what} ({error})") from error


def summary(model: StoredModel) -> dict[str, str]:
    """A model in one row.

    Raises:
        ModelError: its `config.json` is damaged.
    """
    with _as_told(model):
        return {
            "separates": ", ".join(model.config.targets),
            "rate": _rate(model),
            "size": _megabytes(store.size(model, FORMS[0])),
            "SDR in dB": _sdr(model.about),
            "weights": str(model.about.get("licence", "not stated")).split(":")[0],
        }


def facts(model: StoredModel) -> dict[str, str]:
    """A model in full.

    Raises:
        ModelError: its `config.json` is damaged.
    """
    with _as_told(model):
        return {name: text for name, text in _facts(model).items() if text}


def _facts(model: StoredModel) -> dict[str, str]:
    about, config = model.about, model.config
    course = Course(config.sample_rate, config.sample_rate, Grid.of(config, segment_length(config)))
    return {
        "description": str(about.get("description", "")),
        "separates": ", ".join(config.targets),
        "rate": _rate(model),
        "architecture": _architecture(about),
        "context": _context(config),
        "latency": f"{course.latency:.1f} s in a stream, of which the segment is "
        f"{segment_length(config) / config.sample_rate:.1f} s (--segment makes it shorter)",
        "live": _live(model),
        "forms": ", ".join(_forms(model)),
        "as it is": _lengths(model),
        "SDR": _sdr(about, "on {tracks} tracks, in dB"),
        "cost of the form": _cost(about),
        "training": _training(about.get("training") or {}),
        "licence": str(about.get("licence", "not stated")),
        "files": "are those that were exported (SHA-256)" if "files" in about else "no checksums in config.json",
    }


def _live(model: StoredModel) -> str:
    """How late stems of music are that is played meanwhile."""
    config = model.config
    if not model.about.get("live"):
        return ""
    course = Course(config.sample_rate, config.sample_rate, Grid(live_length(config), 0, config.lookahead))
    return f"step by step, {1000 * course.latency:.0f} ms behind the music"


def _context(config: StoredConfig) -> str:
    before, after = (
        f"{side} samples, {side / config.sample_rate:.2f} s" for side in (config.context, config.lookahead)
    )
    return f"{before}, on each side" if before == after else f"{before}, before; {after}, after"


def _rate(model: StoredModel) -> str:
    return f"{model.config.sample_rate / 1000:g} kHz {('mono', 'stereo')[model.config.channels - 1]}"


def _architecture(about: dict[str, Any]) -> str:
    name = str(about.get("architecture", ""))
    model = about.get("model") or {}
    members = model.get("members") or [model[place] for place in ("first", "second") if place in model]
    return f"{name} of {', '.join(member['architecture'] for member in members)}" if members else name


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "-"


def _forms(model: StoredModel) -> list[str]:
    quantisation = (model.about.get("tflite") or {}).get("quantisation", "none")
    notes = {FORMS[0]: "" if quantisation == "none" else f" ({quantisation})"}
    sizes = {name: store.size(model, name) for name in FORMS}
    return [f"{name} {_megabytes(size)}{notes.get(name, '')}" for name, size in sizes.items() if size]


def _lengths(model: StoredModel) -> str:
    told = model.about.get("tflite") or {}
    if not {"input_length", "target_length"} <= told.keys():
        return ""
    takes, yields = (told[name] / model.config.sample_rate for name in ("input_length", "target_length"))
    return f"{FORMS[0]} takes {takes:.2f} s and yields {yields:.2f} s; other lengths once its input is resized"


def _sdr(about: dict[str, Any], note: str = "") -> str:
    scores = about.get("scores") or {}
    by_target = scores.get("scores", {}).get("model", {})
    told = [f"{target} {values['SDR']:.2f}" for target, values in by_target.items() if values.get("SDR") is not None]
    tracks = " ".join(str(scores[key]) for key in ("tracks", "subset") if key in scores)
    return ", ".join(told) + (" " + note.format(tracks=tracks) if told and note else "")


def _cost(about: dict[str, Any]) -> str:
    beside = (about.get("tflite") or {}).get("beside_keras")
    if not beside:
        return ""
    most = max(beside["cost"], key=beside["cost"].get)
    return (
        f"{beside['snr']} dB SNR beside Keras; at most {beside['cost'][most]:.2f} dB of SDR ({most}), "
        f"on {beside['tracks']} tracks"
    )


def _training(record: dict[str, Any]) -> str:
    if "members" in record:
        return "; ".join(filter(None, map(_training, record["members"])))
    data = record.get("data") or {}
    told = [f"{data['songs']} songs"] if "songs" in data else []
    told += [f"{count} files of extra {stem}" for stem, count in (data.get("extra") or {}).items()]
    return ", ".join([str(record["date"])[:10], *told]) if "date" in record else ""


def released() -> dict[str, StoredModel | ModelError]:
    """The models that come with the package, by name; or why one cannot be used."""
    found: dict[str, StoredModel | ModelError] = {}
    for name, folder in store.released().items():
        try:
            found[name] = store.read(folder)
        except ModelError as error:
            found[name] = error
    return found
