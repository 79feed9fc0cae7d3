"""A model on TensorFlow Serving, over its REST interface: no TensorFlow here."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from tfwavesep.backends._served import ATTEMPTS, DEADLINE, IN_FLIGHT, Pending, ServedBackend
from tfwavesep.errors import ModelError


class RestBackend(ServedBackend):
    """Runs `http://HOST:PORT/v1/models/NAME`. TensorFlow Serving writes floats so that they are read back exactly."""

    name = "TensorFlow Serving (REST)"

    def __init__(self, url: str, deadline: float = DEADLINE, in_flight: int = IN_FLIGHT) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise ModelError(f"{url}: needs another package: pip install urllib3") from error
        if "/v1/models/" not in url:
            raise ModelError(f"{url}: must be like http://localhost:8501/v1/models/default")
        self._http = urllib3.PoolManager(
            maxsize=in_flight, timeout=urllib3.Timeout(deadline), retries=_retries(), block=True
        )
        self._pool = ThreadPoolExecutor(in_flight, "rest")
        super().__init__(url, deadline, in_flight)

    def _describe(self) -> str:
        outputs = self._post("describe", {"query": ["config"]})
        if not isinstance(outputs, list) or not outputs:
            raise ModelError(f"{self.url}: is not a model of this package: it has no description")
        return str(outputs[0])

    def _send(self, mixture: np.ndarray) -> "Future[Any]":
        return self._pool.submit(self._post, "serving_default", {"mixture": mixture.tolist()})

    def _stems(self, pending: Pending) -> np.ndarray:
        try:
            return np.asarray(pending.result(), np.float32)
        except (ValueError, TypeError) as error:
            raise ModelError(f"{self.url}: answered without stems") from error

    def _post(self, signature: str, inputs: dict[str, Any]) -> Any:
        """What the server puts out for these inputs; its only output as it is."""
        import urllib3

        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._http.request("POST", f"{self.url}:predict", body=body, headers=headers)
            values = json.loads(answer.data)
        except urllib3.exceptions.LocationValueError as error:
            raise ModelError(f"{self.url}: must be like http://localhost:8501/v1/models/default ({error})") from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise ModelError(f"{self.url}: did not answer within {self.deadline:g} s") from error
        except urllib3.exceptions.HTTPError as error:
            raise ModelError(f"{self.url}: cannot be reached, tried {ATTEMPTS} times ({_reason(error)})") from error
        except ValueError as error:
            raise ModelError(f"{self.url}: answered {answer.status} with something that is not json") from error
        if not isinstance(values, dict):
            raise ModelError(f"{self.url}: answered {answer.status} with something that is not a json object")
        if answer.status != 200 or "outputs" not in values:
            raise ModelError(f"{self.url}: answered {answer.status}: {' '.join(str(values.get('error')).split())}")
        return values["outputs"]


def _retries() -> Any:
    """Send again if the connection fails or the server says 503 (UNAVAILABLE), but not if it is slow."""
    from urllib3.exceptions import ReadTimeoutError
    from urllib3.util import Retry

    class Retries(Retry):
        def increment(self, *given: Any, error: Any = None, **named: Any) -> Any:  # type: ignore[override]
            if isinstance(error, ReadTimeoutError):
                raise error
            return super().increment(*given, error=error, **named)  # type: ignore[misc]

    return Retries(
        total=ATTEMPTS - 1, backoff_factor=0.5, status_forcelist=[503], allowed_methods=["POST"], raise_on_status=False
    )


def _reason(error: Exception) -> str:
    return type(getattr(error, "reason", None) or error).__name__
