# SPDX-License-Identifier: Apache-2.0
"""Which topics belong to a camera."""

import pytest

from carla_unet_ros.ros.camera_topics import CameraTopics, check_image_topics, check_outputs


@pytest.mark.parametrize(
    ("image", "camera"),
    [
        ("/carla/hero/rgb_front/image", "/carla/hero/rgb_front/"),
        ("/carla/hero/rgb_front/image/compressed", "/carla/hero/rgb_front/"),
        ("front/image_raw", "front/"),
        ("image", ""),
        ("/image", "/"),
        ("~/front/image", "~/front/"),
        ("/front/compressed", "/front/"),
        ("/stereo/left/compressed", "/stereo/left/"),
    ],
)
def test_all_of_a_camera_lies_beside_its_image(image: str, camera: str) -> None:
    topics = CameraTopics(image)
    assert topics.output("labels") == f"{camera}segmentation/labels"
    assert topics.camera_info == f"{camera}camera_info"


def test_compressed_images_are_known_by_their_name() -> None:
    assert CameraTopics("/front/image/compressed").compressed
    assert not CameraTopics("/compressed/image").compressed


@pytest.mark.parametrize(
    ("topics", "sentence"),
    [
        ([], "0 image topics; expected 1 to 8"),
        ([f"/camera_{index}/image" for index in range(9)], "9 image topics; expected 1 to 8"),
        ([""], "'' is no topic name"),
        (["/camera/"], "'/camera/' is no topic name"),
        (["/a camera/image"], "is no topic name"),
        (["/1st/image"], "is no topic name"),
        (["/front/image", "/front/image"], "would both be published as /front/segmentation"),
        (["/front/left", "/front/right"], "give each camera a parent of its own"),
        (["/front/image", "/front/image/compressed"], "would both be published"),
    ],
)
def test_topics_that_cannot_be_served_are_refused(topics: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_image_topics(topics)


@pytest.mark.parametrize("kind", ["image", "compressed"])
def test_two_cameras_with_a_parent_each_are_served(kind: str) -> None:
    check_image_topics([f"/stereo/left/{kind}", f"/stereo/right/{kind}"])


def test_outputs_are_compared_as_ros_resolves_them() -> None:
    topics = ["/left/image", "/right/image"]
    check_outputs(topics, lambda name: f"/robot{name}")
    with pytest.raises(ValueError, match="would both be published as /all/labels"):
        check_outputs(topics, lambda _: "/all/labels")


def test_eight_cameras_are_served() -> None:
    check_image_topics([f"/camera_{index}/image" for index in range(8)])
