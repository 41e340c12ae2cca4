"""What a camera format is: the one description from which HTTP and MQTT serve it.

A format is a file of this package that ends in its `FORMAT`, and its line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ingest.formats.plate_read import PlateRead

MAX_WEBHOOK_BYTES = 16 * 2**20
"""A message with two pictures of a modern camera."""


@dataclass(frozen=True)
class CameraFormat:
    """A format in which plate cameras of one vendor report.

    `name` is the vendor's in `/cameras/{vendor}` and in the equipment list, `title` the product's name as shown.
    `decode` takes a payload and its media type and raises `MalformedError` where it cannot read it. With an
    `mqtt_topic` messages come over MQTT alone: each names its camera, which is found by `config.camera_id`, and the
    broker says who may publish. Without, they are webhooks, and the camera proves itself by its key. `acknowledgement`
    is what the answer must hold as well, so that the camera does not send the same again.
    """

    name: str
    title: str
    decode: Callable[[bytes, str], list[PlateRead]]
    mqtt_topic: str | None = None
    max_bytes: int = MAX_WEBHOOK_BYTES
    acknowledgement: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def path(self) -> str | None:
        """Where it is served over HTTP; `None` if it comes over MQTT."""
        return None if self.mqtt_topic else f"/cameras/{self.name}"
