"""TensorFlow Serving's two interfaces over a real exported SavedModel, with faults on demand.

The server program itself is not at hand. What is: its official messages and stubs, and its documented REST form.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

NAME = "tiny"


class ServingError(Exception):
    """An answer that is an error, with its gRPC status."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


Fault = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""What becomes of an answer: it may be changed, delayed, or become a `ServingError`."""


def nothing_wrong(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return outputs


def unavailable(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    raise ServingError(grpc.StatusCode.UNAVAILABLE, "the server is busy")


def wrong_shape(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value[:, :, :-1] for name, value in outputs.items()}


def no_stems(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"not {name}": value for name, value in outputs.items()}


def slow(seconds: float) -> Fault:
    def fault(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        time.sleep(seconds)
        return outputs

    return fault


class Model:
    """The SavedModel behind both interfaces.

    Args:
        path: of the SavedModel.
        faults: what becomes of each answer of `serving_default`, in the order of the calls; then nothing is wrong.
    """

    def __init__(self, path: Path, faults: list[Fault] | None = None) -> None:
        self.signatures = tf.saved_model.load(str(path)).signatures
        self.faults = iter(faults or [])
        self.calls = 0
        self.under_way = 0
        self.most_under_way = 0
        self.largest = 0
        self.on_call: Callable[[int], None] = lambda call: None
        self._lock = threading.Lock()

    def answer(self, name: str, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name != NAME:
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")
        if signature not in self.signatures:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, f'Serving signature key "{signature}" not found.')
        run = self.signatures[signature]
        specs = run.structured_input_signature[1]
        if set(inputs) != set(specs):
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, f"input keys must be {sorted(specs)}")
        with self._lock:
            self.calls += signature == "serving_default"
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            call, fault = self.calls, next(self.faults, nothing_wrong) if signature == "serving_default" else None
        try:
            if fault:
                self.on_call(call)
            outputs = run(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
            found = {key: value.numpy() for key, value in outputs.items()}
            return fault(found) if fault else found
        except tf.errors.OpError as error:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, error.message) from error
        finally:
            with self._lock:
                self.under_way -= 1


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The official service, as far as clients of this package use it."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.model.largest = max(self.model.largest, request.ByteSize())
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = self.model.answer(request.model_spec.name, request.model_spec.signature_name, inputs)
        except ServingError as error:
            context.abort(error.code, str(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        self.model.largest = max(self.model.largest, response.ByteSize())
        return response


def start_grpc(model: Model, port: int = 0) -> tuple[grpc.Server, int]:
    """A server on a free port, or on this one. It takes messages of any length, as TensorFlow Serving does."""
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(model), server)
    port = server.add_insecure_port(f"localhost:{port}")
    server.start()
    return server, port


@contextmanager
def grpc_server(model: Model) -> Iterator[str]:
    """The URL of a served model."""
    server, port = start_grpc(model)
    yield f"grpc://localhost:{port}/{NAME}"
    server.stop(None).wait()


STATUS = {"UNAVAILABLE": 503, "NOT_FOUND": 404, "INVALID_ARGUMENT": 400}


class Handler(BaseHTTPRequestHandler):
    """The documented REST form of Predict, in columns: `{"signature_name", "inputs"}` to `{"outputs"}`; an only output
    stands by itself, and names that end in _bytes are base64."""

    protocol_version = "HTTP/1.1"
    model: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        inputs = {key: np.array(_from_json(value), object) for key, value in asked["inputs"].items()}
        signature = asked.get("signature_name", "serving_default")
        try:
            inputs = {key: value.astype(np.float32) if key == "mixture" else value for key, value in inputs.items()}
            outputs = self.model.answer(name, signature, inputs)
            values = {key: _to_json(key, value.tolist()) for key, value in outputs.items()}
            self._reply(200, {"outputs": next(iter(values.values())) if len(values) == 1 else values})
        except ServingError as error:
            self._reply(STATUS[error.code.name], {"error": str(error)})

    def _reply(self, status: int, values: dict[str, Any]) -> None:
        self._send(status, json.dumps(values).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_from_json(one) for one in value] if isinstance(value, list) else value


def _to_json(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(key, one) for one in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if key.endswith("_bytes") else value.decode()
    return value


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, address: Any) -> None:
        pass  # a client that hung up


@contextmanager
def rest_server(model: Model) -> Iterator[str]:
    """The URL of a served model."""
    server = _Server(("localhost", 0), type("TheHandler", (Handler,), {"model": model}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://localhost:{server.server_port}/v1/models/{NAME}"
    server.shutdown()
    server.server_close()
