# SPDX-License-Identifier: Apache-2.0
"""What a camera's status says, and when it warns."""

import math
import re
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from carla_unet_ros.segmentation.camera_status import CameraState, camera_status
from carla_unet_ros.segmentation.frame_statistics import FrameReport

STATE = CameraState("/front/image", True, 1, "", "reliable")
FRAMES = FrameReport(
    received=40,
    published=38,
    dropped=3,
    waiting=2,
    bad=1,
    failed=1,
    rate=19.96,
    size=(800, 600),
    waited_ms=4.0,
    age_ms=(41.25, 80.0),
    undated=False,
    silent_s=0.05,
    problem="",
)


def judged(state: dict[str, Any], **frames: Any) -> DiagnosticStatus:
    return camera_status("/segmentation", STATE._replace(**state), FRAMES._replace(**frames))


def test_a_camera_that_works_is_ok_and_tells_its_figures() -> None:
    found = judged({})
    assert (found.level, found.message) == (DiagnosticStatus.OK, "20.0 frames/s")
    assert found.name == "/segmentation: /front/image"
    assert {entry.key: entry.value for entry in found.values} == {
        "frames in": "40",
        "frames out": "38",
        "frames dropped": "3",
        "frames waiting for the engine": "2",
        "frames bad": "1",
        "frames failed": "1",
        "rate (Hz)": "20.0",
        "image age (ms)": "41.2",
        "largest image age (ms)": "80.0",
        "image age on arrival (ms)": "4.0",
        "size": "800x600",
        "publishers": "1",
    }


def test_what_is_not_known_is_called_unknown() -> None:
    found = judged({}, size=None, dropped=None, age_ms=(math.nan, math.nan))
    values = {entry.key: entry.value for entry in found.values}
    assert values["frames dropped"] == values["image age (ms)"] == values["size"] == "unknown"


@pytest.mark.parametrize(
    ("state", "frames", "sentence"),
    [
        ({}, {"problem": "the image is empty"}, "the image is empty"),
        (
            {"publishers": 0},
            {"silent_s": 3.0},
            "no image for 3 s on /front/image: nobody publishes",
        ),
        (
            {},
            {"silent_s": 9.0, "problem": "the image is empty"},
            "no image for 9 s on /front/image, though",
        ),
        ({}, {"silent_s": 9.0}, "though 1 publish it: the publisher sends nothing"),
        ({"reliability": "best_effort"}, {"silent_s": 9.0}, "set reliability to reliable"),
        (
            {"incompatible": "another RELIABILITY"},
            {"silent_s": 3.0},
            "3 s .*: another RELIABILITY",
        ),
    ],
)
def test_trouble_is_a_warning_that_says_what_to_look_at(
    state: dict[str, Any], frames: dict[str, Any], sentence: str
) -> None:
    found = judged(state, **frames)
    assert found.level == DiagnosticStatus.WARN
    assert re.search(sentence, found.message), found.message


def test_an_engine_that_is_prepared_is_a_warning_and_one_that_cannot_be_is_an_error() -> None:
    waits = judged({"waits_for": "800x600 frames, for 12 s"}, silent_s=3.0)
    assert waits.level == DiagnosticStatus.WARN
    assert waits.message == (
        "waiting for the engine, which is prepared for 800x600 frames, for 12 s"
    )
    failed = judged({"failure": "no memory"}, problem="no memory")
    assert (failed.level, failed.message) == (DiagnosticStatus.ERROR, "no memory")


def test_a_slow_camera_is_ok_at_its_own_pace() -> None:
    found = judged({}, silent_s=5.0, patience_s=9.0, rate=1 / 3)
    assert (found.level, found.message) == (DiagnosticStatus.OK, "0.33 frames/s")


def test_silence_is_no_trouble_while_nobody_listens() -> None:
    found = judged({"listening": False}, silent_s=100.0)
    assert found.level == DiagnosticStatus.OK
    assert found.message.startswith("idle")


def test_ages_that_cannot_be_told_lead_to_use_sim_time() -> None:
    found = judged({}, undated=True)
    assert "set use_sim_time to true" in found.message
