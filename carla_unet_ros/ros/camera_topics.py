# SPDX-License-Identifier: Apache-2.0
"""Topic names of one camera, derived from the name of its image topic.

A camera is the parent namespace of its image topic, and all outputs are published below it:

    /carla/ego_vehicle/rgb_front/image                     the frames
    /carla/ego_vehicle/rgb_front/camera_info               their calibration
    /carla/ego_vehicle/rgb_front/segmentation/labels, ...  the outputs
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from carla_unet_ros.errors import InputError

MOST_CAMERAS = 8
_TOPIC_NAME = re.compile(r"(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
_COMPRESSED = "/compressed"


@dataclass(frozen=True)
class CameraTopics:
    """Topic names of one camera, relative where the image topic is."""

    image: str

    @property
    def compressed(self) -> bool:
        """Whether frames come as CompressedImage: image_transport's `<image topic>/compressed`."""
        return self.image.endswith(_COMPRESSED)

    @property
    def camera_info(self) -> str:
        return self._beside("camera_info")

    def output(self, name: str) -> str:
        """Topic of labels, confidence, overlay, camera_info, legend or label_info."""
        return self._beside(f"segmentation/{name}")

    def _beside(self, name: str) -> str:
        base = self.image.removesuffix(_COMPRESSED)
        parent, slash, last = base.rpartition("/")
        if self.compressed and not last.startswith("image"):
            # /front/compressed: the camera is /front, which has no image topic beside it.
            return f"{base}/{name}"
        return f"{parent}{slash}{name}"


def check_image_topics(topics: Iterable[str]) -> None:
    """Raises ValueError, with the reason, if one node cannot take all of these image topics."""
    topics = list(topics)
    if not 1 <= len(topics) <= MOST_CAMERAS:
        raise InputError(
            f"{len(topics)} image topics; expected 1 to {MOST_CAMERAS}; more cameras need a "
            "second node"
        )
    for topic in topics:
        check_topic(topic)
    check_outputs(topics)


def check_topic(name: str) -> None:
    """Raises InputError if a name, with or without a namespace, is no name of a topic."""
    if not _TOPIC_NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no topic name; expected one such as /carla/ego_vehicle/rgb_front/image"
        )


def check_outputs(topics: Iterable[str], resolve: Callable[[str], str] = str) -> None:
    """Raises ValueError if two image topics would have the same output topics.

    resolve: gives the full name of a topic, with remapping rules applied
    """
    seen: dict[str, str] = {}
    for topic in topics:
        output = resolve(CameraTopics(topic).output("labels"))
        if output in seen:
            raise InputError(
                f"image topics {seen[output]} and {topic} would both be published as {output}; "
                "give each camera a parent of its own, as in /front/image and /rear/image"
            )
        seen[output] = topic
