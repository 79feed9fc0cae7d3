"""A model on TensorFlow Serving, over gRPC with its official messages."""

import json
import os
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tfwavesep.backends._served import ATTEMPTS, DEADLINE, IN_FLIGHT, Pending, ServedBackend
from tfwavesep.errors import ModelError, needs_extra

RETRY = {
    "methodConfig": [
        {
            "name": [{"service": "tensorflow.serving.PredictionService"}],
            "retryPolicy": {
                "maxAttempts": ATTEMPTS,
                "initialBackoff": "0.5s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""gRPC sends again by itself, after 0.5, 1, 2 and 4 seconds, give or take a fifth."""

OPTIONS = [
    ("grpc.service_config", json.dumps(RETRY)),
    ("grpc.per_rpc_retry_buffer_size", 2**26),  # what does not fit is never sent again
    ("grpc.max_receive_message_length", -1),  # answers are as long as asked for
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcBackend(ServedBackend):
    """Runs `grpc://HOST:PORT/NAME`."""

    name = "TensorFlow Serving (gRPC)"
    survives_fork = False

    def __init__(self, url: str, deadline: float = DEADLINE, in_flight: int = IN_FLIGHT) -> None:
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # a server that goes away is told by us
        with needs_extra("serving", url):
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        host, self._model = _parse(url)
        self._channel = grpc.insecure_channel(host, OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        super().__init__(url, deadline, in_flight)

    def _describe(self) -> str:
        answer = self._answer(self._request("describe", "query", np.array(["config"], object)))
        import tensorflow as tf

        if "config" not in answer.outputs:
            raise ModelError(f"{self.url}: is not a model of this package: it has no description")
        return bytes(tf.make_ndarray(answer.outputs["config"])[0]).decode()

    def _send(self, mixture: np.ndarray) -> Pending:
        return self._request("serving_default", "mixture", mixture)

    def _stems(self, pending: Pending) -> np.ndarray:
        import tensorflow as tf

        answer = self._answer(pending)
        if "stems" not in answer.outputs:
            raise ModelError(f"{self.url}: answered without stems")
        return np.asarray(tf.make_ndarray(answer.outputs["stems"]))

    def _request(self, signature: str, name: str, value: np.ndarray) -> Any:
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return self._service.Predict.future(request, timeout=self.deadline)

    def _answer(self, pending: Pending) -> Any:
        import grpc

        try:
            return pending.result()
        except grpc.RpcError as error:
            raise ModelError(f"{self.url}: {self._explain(error)}") from error

    def _explain(self, error: Any) -> str:
        code, details = error.code().name, " ".join(str(error.details()).split())
        known = {
            "UNAVAILABLE": f"cannot be reached, tried {ATTEMPTS} times ({details})",
            "DEADLINE_EXCEEDED": f"did not answer within {self.deadline:g} s",
            "NOT_FOUND": f"there is no such model ({details})",
        }
        return known.get(code, f"{code}: {details}")


def _parse(url: str) -> tuple[str, str]:
    """Host with port, and the model's name."""
    try:
        parts = urlsplit(url)
        complete = parts.hostname and parts.port
    except ValueError:  # no number, or none of a port
        complete = None
    name = parts.path.strip("/") if complete else ""
    if not name or "/" in name:
        raise ModelError(f"{url}: must be grpc://HOST:PORT/NAME, such as grpc://localhost:8500/default")
    return parts.netloc, name
