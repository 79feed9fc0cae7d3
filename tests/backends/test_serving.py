"""The contract with TensorFlow Serving: what a server finds in the folder, what a client sends, and what it does when
something is wrong."""

import base64
import io
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from conftest import Run
from google.protobuf import text_format

pytest.importorskip("tensorflow_serving", reason="pip install 'tfwavesep[serving]'")

import tensorflow as tf
import tf_serving
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from tf_serving import Model, grpc_server, no_stems, nothing_wrong, rest_server, slow, unavailable, wrong_shape

from tfwavesep import models, store
from tfwavesep.backends import _served, open_backend, saved_model
from tfwavesep.backends.served_grpc import GrpcBackend
from tfwavesep.backends.served_rest import RestBackend
from tfwavesep.errors import ModelError
from tfwavesep.release import signatures
from tfwavesep.separation import Separator

EXAMPLE = Path(__file__).parents[2] / "examples" / "serving"

WINDOW = 1000
"""Samples that a request yields in these tests: small, so that a short song makes many."""

Serve = Callable[[Model], AbstractContextManager[str]]
KINDS = {"grpc": (grpc_server, GrpcBackend), "rest": (rest_server, RestBackend)}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[Serve, type]:
    return KINDS[request.param]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real_windows" not in request.keywords:
        for module in (_served, saved_model):
            monkeypatch.setattr(module, "window", lambda config: WINDOW)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same retries, sooner."""
    from tfwavesep.backends import served_grpc, served_rest

    retry = json.loads(json.dumps(served_grpc.RETRY))
    retry["methodConfig"][0]["retryPolicy"].update(initialBackoff="0.05s", maxBackoff="0.1s")
    options = [("grpc.service_config", json.dumps(retry)), *served_grpc.OPTIONS[1:]]
    monkeypatch.setattr(served_grpc, "OPTIONS", [*options, ("grpc.initial_reconnect_backoff_ms", 50)])
    retries = served_rest._retries
    monkeypatch.setattr(served_rest, "_retries", lambda: retries().new(backoff_factor=0.02))


def song(length: int = 8500, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (length, channels)).astype(np.float32)


def joined(stems: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(stems.values()))


def local(model: Path, mixture: np.ndarray) -> np.ndarray:
    return joined(Separator(open_backend(str(model / "1"))).separate(mixture, 8000))


# What a server finds in the folder


def test_the_folder_is_a_base_path_with_an_integer_version(model: Path) -> None:
    versions = [path.name for path in model.iterdir() if path.is_dir()]
    assert versions == ["1"]
    assert (model / "1" / "saved_model.pb").is_file()


def test_the_meta_graph_has_the_signatures(model: Path) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((model / "1" / "saved_model.pb").read_bytes()).meta_graphs[0]
    assert list(graph.meta_info_def.tags) == ["serve"]

    def shapes(tensors: Any) -> dict[str, tuple[list[int], str]]:
        return {
            name: ([dim.size for dim in t.tensor_shape.dim], tf.dtypes.as_dtype(t.dtype).name)
            for name, t in tensors.items()
        }

    names, stems = ("serving_default", "separate_wav", "describe"), ("vocals", "drums", "bass", "other")
    found = {name: graph.signature_def[name] for name in names}
    assert {signature.method_name for signature in found.values()} == {"tensorflow/serving/predict"}
    assert {name: (shapes(s.inputs), shapes(s.outputs)) for name, s in found.items()} == {
        "serving_default": ({"mixture": ([-1, -1, 1], "float32")}, {"stems": ([-1, 3, -1, 1], "float32")}),
        "separate_wav": (
            {"wav_bytes": ([-1], "string")},
            {f"{stem}_bytes": ([-1], "string") for stem in stems},
        ),
        "describe": ({"query": ([-1], "string")}, {"config": ([-1], "string")}),
    }
    assert all(
        graph.signature_def[name].method_name == "tensorflow/serving/predict" for name in found if name[0] != "_"
    )


def test_no_operation_of_the_graph_reads_or_writes_files_or_runs_python(model: Path) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((model / "1" / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    parts = {field.name: part for field, part in graph.ListFields()}
    nodes = [*parts["node"], *(node for function in parts["library"].function for node in function.node_def)]
    assert not [n.op for n in nodes if n.op in ("ReadFile", "WriteFile", "PyFunc", "PyFuncStateless", "EagerPyFunc")]


def test_the_warmup_requests_are_read_back_and_run(model: Path) -> None:
    records = list(tf.data.TFRecordDataset(str(model / "1" / signatures.WARMUP)).as_numpy_iterator())
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log"] * 2
    served = Model(model / "1")
    for log in logs:
        request = log.predict_log.request
        assert request.model_spec.name == "tiny"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = served.answer(request.model_spec.name, request.model_spec.signature_name, inputs)
        assert all(len(value) == 1 for value in outputs.values())
    assert [log.predict_log.request.model_spec.signature_name for log in logs] == ["serving_default", "describe"]


@pytest.mark.real_windows
def test_the_warmup_is_the_window_that_clients_send(model: Path) -> None:
    record = next(tf.data.TFRecordDataset(str(model / "1" / signatures.WARMUP)).as_numpy_iterator())
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    with grpc_server(Model(model / "1")) as url:
        separator = Separator(open_backend(url))
    length = separator.backend.config.input_length(separator.target_length)
    assert [dim.size for dim in request.inputs["mixture"].tensor_shape.dim] == [1, length, 1]


# What a client sends


@pytest.mark.parametrize("channels", [1, 3])
def test_served_stems_are_the_local_bytes(kind: tuple[Serve, type], channels: int, model: Path) -> None:
    serve, backend = kind
    mixture = song(channels=channels)
    with serve(Model(model / "1")) as url:
        opened = open_backend(url)
        assert type(opened) is backend
        assert opened.config == store.read(model).config
        np.testing.assert_array_equal(joined(Separator(opened).separate(mixture, 8000)), local(model, mixture))


def test_the_command_line_separates_on_a_server(
    kind: tuple[Serve, type], model: Path, run: Run, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "song.wav", song(), 8000, "FLOAT")
    with kind[0](Model(model / "1")) as url:
        for form, folder in ((url, "served"), (model / "1", "local")):
            result = run("separate", tmp_path / "song.wav", "-m", form, "-o", tmp_path / folder)
            assert result.exit_code == 0, result.output
    for stem in ("vocals", "drums", "bass", "other"):
        served, here = (tmp_path / folder / "song" / f"{stem}.wav" for folder in ("served", "local"))
        assert served.read_bytes() == here.read_bytes()


def test_several_requests_are_under_way_and_never_too_many(kind: tuple[Serve, type], model: Path) -> None:
    served = Model(model / "1", [slow(0.1)] * 9)
    with kind[0](served) as url:
        Separator(kind[1](url, in_flight=3)).separate(song(), 8000)
    assert served.calls == 9
    assert 2 <= served.most_under_way <= 3


def test_answers_keep_their_order_when_early_ones_are_slow(kind: tuple[Serve, type], model: Path) -> None:
    with kind[0](Model(model / "1", [slow(0.3), nothing_wrong, slow(0.2)])) as url:
        stems = joined(Separator(open_backend(url)).separate(song(), 8000))
    np.testing.assert_array_equal(stems, local(model, song()))


@pytest.mark.real_windows
@pytest.mark.parametrize("channels", [1, 2])
def test_no_message_exceeds_grpcs_limit_and_all_are_tried_again(channels: int, model: Path) -> None:
    served = Model(model / "1", [unavailable])
    with grpc_server(served) as url:
        Separator(open_backend(url), segment_seconds=60).separate(song(400_000, channels), 8000)
    assert served.calls == channels * 2 + 1
    assert 2**21 < served.largest < 4 * 2**20


@pytest.mark.real_windows
def test_windows_are_whole_blocks_below_the_limit(model: Path) -> None:
    for released in store.released().values():
        config = store.read(released).config
        longest = _served.window(config)
        assert longest % config.block == 0
        assert 4 * config.channels * len(config.stems) * longest < 4 * 2**20
        assert 4 * config.channels * config.input_length(longest) < 4 * 2**20


def test_wav_in_wav_out_without_numpy(kind: tuple[Serve, type], model: Path, tmp_path: Path) -> None:
    """A client with nothing but JSON and base64 gets what the separator gives, rounded to 16 bits."""
    mixture = np.round(song(5001, 1) * 32768) / 32768
    file = io.BytesIO()
    soundfile.write(file, mixture, 8000, "PCM_16", format="WAV")
    with rest_server(Model(model / "1")) as url:
        asked = {
            "signature_name": "separate_wav",
            "inputs": {"wav_bytes": [{"b64": base64.b64encode(file.getvalue()).decode()}]},
        }
        with urllib.request.urlopen(f"{url}:predict", json.dumps(asked).encode()) as answer:
            outputs = json.load(answer)["outputs"]
    stems = [_read_wav(base64.b64decode(outputs[f"{stem}_bytes"][0]["b64"])) for stem in ("vocals", "drums", "bass")]
    other = _read_wav(base64.b64decode(outputs["other_bytes"][0]["b64"]))
    np.testing.assert_array_equal(sum(stems) + other, np.round(mixture * 32768).astype(int))
    separated = Separator(open_backend(str(model / "model.keras"))).separate(mixture, 8000)
    for stem, name in zip(stems, ("vocals", "drums", "bass"), strict=True):
        np.testing.assert_allclose(stem, separated[name] * 32768, atol=0.6)


def _read_wav(data: bytes) -> np.ndarray:
    samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert sample_rate == 8000
    return samples.astype(int)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 10_001])
def test_wav_of_any_length_and_channels(channels: int, length: int, model: Path) -> None:
    separate_wav = tf.saved_model.load(str(model / "1")).signatures["separate_wav"]
    mixture = song(length, channels)
    files = [io.BytesIO(), io.BytesIO()]
    for file, samples in zip(files, (mixture, mixture[: length // 2 + 1]), strict=True):
        soundfile.write(file, samples, 8000, "PCM_16", format="WAV")
    outputs = separate_wav(wav_bytes=tf.constant([file.getvalue() for file in files]))
    for i, file in enumerate(files):
        expected = _read_wav(file.getvalue())
        stems = [_read_wav(outputs[name][i].numpy()) for name in sorted(outputs)]
        assert {stem.shape for stem in stems} == {expected.shape}
        np.testing.assert_array_equal(sum(stems), expected)


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_wav_of_any_depth_gives_what_16_bits_of_it_give(subtype: str, form: str, model: Path) -> None:
    separate_wav = tf.saved_model.load(str(model / "1")).signatures["separate_wav"]
    mixture = np.round(song(500, 2) * 32768) / 32768
    files = [io.BytesIO(), io.BytesIO()]
    for file, kind in zip(files, ((subtype, form), ("PCM_16", "WAV")), strict=True):
        soundfile.write(file, mixture, 8000, kind[0], format=kind[1])
    for stems in separate_wav(wav_bytes=tf.constant([file.getvalue() for file in files])).values():
        deep, plain = stems.numpy()
        assert deep == plain


def test_wav_with_other_chunks_and_no_length_is_read(model: Path) -> None:
    separate_wav = tf.saved_model.load(str(model / "1")).signatures["separate_wav"]
    file = io.BytesIO()
    soundfile.write(file, song(500), 8000, "PCM_16", format="WAV")
    plain = file.getvalue()
    other = plain[:12] + b"LIST\3\0\0\0abc\0" + plain[12:]
    place = other.index(b"data") + 4
    other = other[:place] + b"\xff\xff\xff\xff" + other[place + 4 :]
    for stems in separate_wav(wav_bytes=tf.constant([plain, other])).values():
        assert stems[0].numpy() == stems[1].numpy()


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A stereo model with random weights, whose channels differ."""
    from tfwavesep.config import load_preset, override

    preset = override(load_preset("tiny"), ["model.channels=2"])
    path = tmp_path_factory.mktemp("stereo") / "1"
    signatures.write(models.build(preset.architecture, preset.model), preset.model, path)
    return preset.model, path


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_wav_channels_are_grouped_as_the_separator_does(channels: int, stereo: tuple[Any, Path]) -> None:
    from tfwavesep.backends.saved_model import SavedModelBackend

    config, path = stereo
    mixture = np.round(0.2 * song(3000, channels) * 32768) / 32768
    file = io.BytesIO()
    soundfile.write(file, mixture, 8000, "PCM_16", format="WAV")
    outputs = tf.saved_model.load(str(path)).signatures["separate_wav"](wav_bytes=tf.constant([file.getvalue()]))
    expected = Separator(SavedModelBackend(path, config)).separate(mixture, 8000)
    for name in config.stems:
        found = _read_wav(outputs[f"{name}_bytes"][0].numpy())
        np.testing.assert_allclose(found, expected[name] * 32768, atol=0.6)


@pytest.mark.parametrize(
    ("rate", "subtype", "reason"), [(44100, "PCM_16", "8000 samples per second"), (8000, "ULAW", "16, 24 or 32-bit")]
)
def test_wav_that_cannot_be_used_is_named(rate: int, subtype: str, reason: str, model: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, song(100), rate, subtype, format="WAV")
    with pytest.raises(tf_serving.ServingError, match=reason):
        Model(model / "1").answer("tiny", "separate_wav", {"wav_bytes": np.array([file.getvalue()], object)})


# When something is wrong


@pytest.mark.parametrize("times", [1, 4])
def test_unavailable_is_tried_again(kind: tuple[Serve, type], times: int, model: Path) -> None:
    served = Model(model / "1", [nothing_wrong, *[unavailable] * times])
    with kind[0](served) as url:
        stems = joined(Separator(kind[1](url, in_flight=1)).separate(song(), 8000))
    assert served.calls == 9 + times
    np.testing.assert_array_equal(stems, local(model, song()))


ERRORS = {
    "unavailable for long": ([nothing_wrong] + [unavailable] * 30, 60, "busy|cannot be reached"),
    "slow": ([nothing_wrong, slow(2)], 0.5, r"did not answer within 0\.5 s"),
    "wrong shape": ([nothing_wrong, wrong_shape], 60, r"answered with float32 \(1, 3, 999, 1\) instead of .*1000"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_faults_are_named_in_one_line(kind: tuple[Serve, type], name: str, model: Path) -> None:
    faults, deadline, reason = ERRORS[name]
    with kind[0](Model(model / "1", faults)) as url, pytest.raises(ModelError, match=reason) as caught:
        Separator(kind[1](url, deadline, in_flight=1)).separate(song(), 8000)
    assert str(caught.value).startswith(url)
    assert "\n" not in str(caught.value)


def test_an_answer_without_stems_is_named(model: Path) -> None:
    with grpc_server(Model(model / "1", [no_stems])) as url, pytest.raises(ModelError, match="without stems"):
        open_backend(url).predict(song(WINDOW + 68)[np.newaxis])


def test_another_model_is_named(kind: tuple[Serve, type], model: Path) -> None:
    with kind[0](Model(model / "1")) as url, pytest.raises(ModelError, match="Servable not found"):
        open_backend(url.replace("tiny", "huge"))


@pytest.mark.parametrize("body", [b"[]", b'"outputs"', b"3", b"null", b'{"outputs": "x"}', b"no json", b"\xff"])
def test_an_answer_that_is_nothing_of_the_kind_is_named(
    body: bytes, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setattr(tf_serving.Handler, "_reply", lambda self, status, values: self._send(status, body))
    with rest_server(Model(model / "1")) as url, pytest.raises(ModelError) as caught:
        open_backend(url)
    assert str(caught.value).startswith(url)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel that is not of this package."""
    module = tf.Module()
    module.f = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None,), tf.float32)])
    path = tmp_path_factory.mktemp("foreign") / "1"
    tf.saved_model.save(module, str(path), module.f)
    return path


def test_a_foreign_model_is_named(kind: tuple[Serve, type], foreign: Path) -> None:
    with kind[0](Model(foreign)) as url, pytest.raises(ModelError, match='signature key "describe" not found'):
        open_backend(url)


def test_no_server_is_named(kind: tuple[Serve, type]) -> None:
    with socket.socket() as taken:
        taken.bind(("localhost", 0))  # and does not listen
        port = taken.getsockname()[1]
        scheme = "grpc://localhost:{}/tiny" if kind[1] is GrpcBackend else "http://localhost:{}/v1/models/tiny"
        with pytest.raises(ModelError, match="cannot be reached, tried 5 times"):
            open_backend(scheme.format(port))


def test_a_server_killed_mid_song_is_named_and_nothing_is_left(model: Path, run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(), 8000, "FLOAT")
    served = Model(model / "1")
    server, port = tf_serving.start_grpc(served)
    served.on_call = lambda call: threading.Thread(target=server.stop, args=(None,)).start() if call == 3 else None
    result = run("separate", tmp_path / "song.wav", "-m", f"grpc://localhost:{port}/tiny", "-o", tmp_path / "stems")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    assert not [path for path in (tmp_path / "stems").rglob("*") if path.is_file()]


def test_a_server_that_comes_back_mid_song_is_gone_on_with(model: Path) -> None:
    served, again = Model(model / "1"), Model(model / "1")
    server, port = tf_serving.start_grpc(served)
    restarted = []

    def restart() -> None:
        server.stop(None).wait()
        restarted.append(tf_serving.start_grpc(again, port)[0])

    served.on_call = lambda call: threading.Thread(target=restart).start() if call == 3 else None
    stems = joined(Separator(open_backend(f"grpc://localhost:{port}/tiny")).separate(song(), 8000))
    np.testing.assert_array_equal(stems, local(model, song()))
    assert again.calls >= 6
    restarted[0].stop(None).wait()


def test_stopping_early_cancels_what_is_under_way(kind: tuple[Serve, type], model: Path) -> None:
    served = Model(model / "1", [nothing_wrong] + [slow(0.2)] * 30)
    taken = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(1)
            yield song(WINDOW + 68)[np.newaxis]

    with kind[0](served) as url:
        estimates = kind[1](url, in_flight=3).predict_many(endless())
        next(estimates)
        estimates.close()
    assert len(taken) == 3


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("grpc://localhost/tiny", "must be grpc://HOST:PORT/NAME"),
        ("grpc://localhost:8500", "must be grpc://HOST:PORT/NAME"),
        ("grpc://localhost:8500/a/b", "must be grpc://HOST:PORT/NAME"),
        ("grpc://localhost:abc/tiny", "must be grpc://HOST:PORT/NAME"),
        ("grpc://localhost:99999/tiny", "must be grpc://HOST:PORT/NAME"),
        ("grpc://[localhost:8500/tiny", "must be grpc://HOST:PORT/NAME"),
        ("http://localhost:abc/v1/models/tiny", "must be like http://localhost:8501/v1/models/default"),
        ("http://localhost:8501/tiny", "must be like http://localhost:8501/v1/models/default"),
        ("grcp://localhost:8500/tiny", "unknown kind of URL 'grcp': did you mean 'grpc'"),
    ],
)
def test_urls_that_cannot_be_meant(url: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        open_backend(url)


# The example


def test_the_compose_file_serves_the_released_model() -> None:
    service = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]["serving"]
    assert service["image"].startswith("tensorflow/serving:")
    mounts = dict(reversed(volume.removesuffix(":ro").split(":")) for volume in service["volumes"])
    config = text_format.Parse((EXAMPLE / "models.config").read_text(), ModelServerConfig())
    for option in service["command"]:
        name, _, value = option.partition("=")
        if name.endswith("_file"):
            assert (EXAMPLE / mounts["/config"] / Path(value).name).is_file()
    for served in config.model_config_list.config:
        assert (EXAMPLE / mounts["/models"] / served.name / "1" / "saved_model.pb").is_file()
        assert served.base_path == f"/models/{served.name}"


def test_the_batching_parameters_are_text_protocol_buffers_of_known_names() -> None:
    """The message is not among those that tensorflow-serving-api brings."""
    lines = (EXAMPLE / "batching_parameters.txt").read_text().splitlines()
    found = [re.fullmatch(r"(\w+) \{ value: \d+ \}", line) for line in lines if not line.startswith("#")]
    known = {"max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"}
    assert {match and match[1] for match in found} == known


@pytest.mark.skipif(not all(map(shutil.which, ("curl", "jq", "base64"))), reason="needs curl, jq and base64")
def test_the_shell_script_separates(model: Path, tmp_path: Path) -> None:
    mixture = np.round(song(20_000) * 32768).astype(np.int16)
    soundfile.write(tmp_path / "song.wav", mixture, 8000, "PCM_16")
    with rest_server(Model(model / "1")) as url:
        command = [str(EXAMPLE / "separate_wav.sh"), str(tmp_path / "song.wav"), url]
        subprocess.run(command, check=True)
        wrong = [*command[:2], url.replace("tiny", "huge")]
        failed = subprocess.run(wrong, capture_output=True, text=True, check=False)
    stems = [
        soundfile.read(tmp_path / f"song.{stem}.wav", dtype="int16", always_2d=True)[0].astype(int)
        for stem in ("vocals", "drums", "bass", "other")
    ]
    np.testing.assert_array_equal(sum(stems), mixture)
    unreachable = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "Servable not found" in failed.stderr
    assert unreachable.returncode
    assert "connect" in unreachable.stderr
