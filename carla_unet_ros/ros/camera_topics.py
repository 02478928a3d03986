# SPDX-License-Identifier: Apache-2.0
"""Which topics belong to one camera, worked out from the name of its image topic.

A camera is the parent of its image topic, and all we publish lies below it:

    /carla/ego_vehicle/rgb_front/image                     the frames
    /carla/ego_vehicle/rgb_front/camera_info               their calibration
    /carla/ego_vehicle/rgb_front/segmentation/labels, ...  what we make of them
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MOST_CAMERAS = 8
_TOPIC_NAME = re.compile(r"(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
_COMPRESSED = "/compressed"


@dataclass(frozen=True)
class CameraTopics:
    """Topic names of one camera, relative where the image topic is."""

    image: str

    @property
    def compressed(self) -> bool:
        """Whether the frames are CompressedImage: image_transport's `<image topic>/compressed`."""
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
    """ValueError with a sentence where these cannot be one node's image topics."""
    topics = list(topics)
    if not 1 <= len(topics) <= MOST_CAMERAS:
        raise ValueError(
            f"{len(topics)} image topics; expected 1 to {MOST_CAMERAS}; more cameras need a "
            "second node"
        )
    for topic in topics:
        if not _TOPIC_NAME.fullmatch(topic):
            raise ValueError(
                f"image topic {topic!r} is no topic name; expected one such as "
                "/carla/ego_vehicle/rgb_front/image"
            )
    check_outputs(topics)


def check_outputs(topics: Iterable[str], resolve: Callable[[str], str] = str) -> None:
    """ValueError where two image topics' outputs would be the same.

    resolve: what ROS makes of a name, remapping rules applied
    """
    seen: dict[str, str] = {}
    for topic in topics:
        output = resolve(CameraTopics(topic).output("labels"))
        if output in seen:
            raise ValueError(
                f"image topics {seen[output]} and {topic} would both be published as {output}; "
                "give each camera a parent of its own, as in /front/image and /rear/image"
            )
        seen[output] = topic
