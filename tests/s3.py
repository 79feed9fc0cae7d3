"""A real S3 server on this machine, moto's, in the process of the tests."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


class Buckets:
    """Buckets of a running server.

    Attributes:
        environment: what a program's must say, so that S3 is this server.
    """

    def __init__(self, port: int) -> None:
        endpoint = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        self._client = boto3.client("s3", REGION, endpoint_url=endpoint, aws_access_key_id="key",
                                    aws_secret_access_key="secret")  # fmt: skip
        self._count = 0

    def new(self, denied: tuple[str, ...] = ()) -> str:
        """The URL of a new bucket, in which some actions are denied to everyone."""
        self._count += 1
        name = f"bucket-{self._count}"
        self._client.create_bucket(Bucket=name)
        for action in denied:
            self.deny(f"s3://{name}", action)
        return f"s3://{name}"

    def deny(self, url: str, action: str) -> None:
        """Deny an action in a bucket to everyone."""
        name = url.removeprefix("s3://")
        resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resources}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self._client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))

    def objects(self, url: str) -> dict[str, bytes]:
        """All objects below a URL, by what is left of their names, as they are now."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        found: dict[str, bytes] = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for row in page.get("Contents", ()):
                found[row["Key"].removeprefix(prefix).lstrip("/")] = self._get(bucket, row["Key"])
        return found

    def _get(self, bucket: str, key: str) -> bytes:
        return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def put(self, url: str, data: bytes) -> str:
        """Make an object; returns its URL."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self._client.put_object(Bucket=bucket, Key=key, Body=data)
        return url

    def delete(self, url: str) -> None:
        """Remove an object."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self._client.delete_object(Bucket=bucket, Key=key)

    def unfinished(self, url: str) -> list[Any]:
        """Uploads to a bucket that were begun and neither ended nor given up."""
        return self._client.list_multipart_uploads(Bucket=url.removeprefix("s3://")).get("Uploads", [])


@contextmanager
def serving() -> Iterator[Buckets]:
    """A server inside the block; this process' environment says where it is."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            buckets = Buckets(server.get_host_and_port()[1])
            for name, value in buckets.environment.items():
                patch.setenv(name, value)
            yield buckets
    finally:
        server.stop()
