# SPDX-License-Identifier: Apache-2.0
"""What the check says of what was seen; no ROS runs."""

import numpy as np
import pytest

from carla_unet_ros.check.cameras import judge_calibration, judge_likeness, judge_tags
from carla_unet_ros.check.causes import Cause
from carla_unet_ros.check.findings import Level, fine, problem, warning
from carla_unet_ros.check.inspection import Expected, inspect, streams_of
from carla_unet_ros.check.mounting import judge_mounting
from carla_unet_ros.check.observations import (
    Calibration,
    NodeReport,
    Picture,
    Publisher,
    Stream,
    Transform,
)
from carla_unet_ros.check.streams import (
    judge_clock,
    judge_pairs,
    judge_stamps,
    judge_stream,
    lost_share,
)
from carla_unet_ros.check.table import set_table, summarise
from carla_unet_ros.check.truth_tags import read_tags
from carla_unet_ros.labels import Uint8, carla_label_set

IMAGE = "sensor_msgs/msg/Image"
TICK = 50_000_000
OPTICAL = (-0.5, 0.5, -0.5, 0.5)
LEVEL = (0.0, 0.0, 0.0, 1.0)


def stream(*ticks: int, rate: float = 20.0, topic: str = "/a", kind: str = IMAGE) -> Stream:
    """Messages of these ticks, which came at an even rate."""
    found = Stream(topic, kind, [Publisher("/bridge", kind)])
    for number, tick in enumerate(ticks):
        found.add(100 + number / rate, tick * TICK)
    return found


def test_a_topic_that_comes_in_time_is_fine():
    found = judge_stream("frames", stream(*range(11)), 5.0)
    assert (found.level, found.detail) == (Level.OK, "/a: 20.0 a second, from /bridge")


def test_where_nobody_publishes_the_topics_of_that_type_are_named():
    found = judge_stream("frames", Stream("/a", IMAGE), 5.0, ["/b/image", "/a"])
    assert found.cause is Cause.NOBODY
    assert found.detail == "/a; of this type there is /b/image"


def test_a_topic_without_data_is_told_apart_from_one_without_a_publisher():
    assert judge_stream("frames", stream(), 5.0).cause is Cause.NOTHING_COMES


def test_a_rate_below_the_least_is_a_warning():
    found = judge_stream("frames", stream(*range(9), rate=4.0), 5.0)
    assert (found.level, found.cause) == (Level.WARNING, Cause.SLOW)
    assert "4.0 a second" in found.detail and "expected 5 at least" in found.detail


def test_lost_messages_are_counted_by_their_stamps():
    # 10 ticks, of which 3 and 7 are missing; one step is the usual distance.
    assert lost_share([tick * TICK for tick in (0, 1, 2, 4, 5, 6, 8, 9)]) == pytest.approx(0.2)
    assert lost_share([0, TICK, 9 * TICK]) == 0
    assert lost_share([5 * TICK] * 8) == 0
    assert judge_stream("frames", stream(0, 1, 2, 4, 5, 6, 8, 9), 5.0).cause is Cause.LOST


def test_a_clock_that_stands_still_and_two_clocks_are_told():
    clock = stream(*range(9))
    assert judge_clock(clock, 5.0).level is Level.OK
    clock.publishers.append(Publisher("/bag", IMAGE))
    assert judge_clock(clock, 5.0).cause is Cause.TWO_CLOCKS
    still = judge_clock(stream(7, 7, 7, 7, 7), 5.0)
    assert (still.cause, still.detail) == (Cause.CLOCK_STANDS, "for 0.2 s")


def test_a_clock_that_sends_thousands_may_lose_some():
    ticks = *range(100), *range(150, 250)
    assert judge_clock(stream(*ticks, rate=1000.0), 5.0).level is Level.OK


def test_stamps_outside_the_time_of_the_clock_are_told():
    assert judge_stamps(stream(0, 1, 2), stream(0, 1, 2)).level is Level.OK
    # One second is 20 ticks; a frame may be a little ahead of its /clock message.
    assert judge_stamps(stream(22), stream(0, 1, 2)).level is Level.OK
    found = judge_stamps(stream(23), stream(0, 1, 2))
    assert found.cause is Cause.OTHER_TIME
    assert found.detail.startswith("the newest frame is 1.05 s away")
    assert judge_stamps(stream(23), stream()).level is Level.UNSEEN


def test_stamps_in_common_are_counted():
    found = judge_pairs(stream(*range(8)), stream(*range(5, 15)))
    assert found.level is Level.OK
    assert found.detail == "3 stamps in common, of 8 frames and 10 images of the truth"
    assert judge_pairs(stream(*range(5)), stream(*range(5, 10))).cause is Cause.NO_PAIRS
    assert judge_pairs(stream(0, 1), stream(2, 3, 4, 5, 6)).level is Level.UNSEEN


def picture(width: int = 800, height: int = 600) -> Picture:
    return Picture(width, height, "bgra8", "rgb_front", "")


@pytest.mark.parametrize(
    ("calibration", "cause"),
    [
        (Calibration(800, 600, 400.0, 400.0), None),
        (Calibration(400, 300, 200.0, 200.0), Cause.OTHER_SIZE),
        (Calibration(800, 600, 0.0, 0.0), Cause.NO_FOCAL),
        (Calibration(800, 600, -200.4, -200.4), Cause.NO_FOCAL),
        (Calibration(800, 600, 400.0, 300.0), Cause.NO_FOCAL),
        # 4.6 degrees
        (Calibration(800, 600, 10_000.0, 10_000.0), Cause.NO_FOCAL),
    ],
)
def test_a_calibration_must_be_one_a_camera_can_have(
    calibration: Calibration, cause: Cause | None
):
    found = judge_calibration(picture(), calibration)
    assert found.cause is cause
    assert cause or "a field of view of 90.0 degrees" in found.detail


def test_frames_and_truth_must_be_alike():
    ninety, sixty = Calibration(800, 600, 400.0, 400.0), Calibration(800, 600, 692.8, 692.8)
    assert judge_likeness((picture(), picture()), (ninety, ninety)).level is Level.OK
    assert judge_likeness((picture(), picture()), (ninety, None)).level is Level.OK
    found = judge_likeness((picture(), picture(400, 70)), (ninety, ninety))
    assert (found.cause, found.detail) == (
        Cause.NOT_ALIKE,
        "the frames are 800x600, the truth is 400x70",
    )
    assert judge_likeness((picture(), picture()), (ninety, sixty)).cause is Cause.NOT_ALIKE


def street(version: str, raw: bool = True) -> Uint8:
    """Sky above, road below, in raw tags or palette colours of a version that has both."""
    labels = carla_label_set(version)
    sky, road = labels.ids(["Sky", "Roads"])
    ids = np.full((30, 40), sky, np.uint8)
    ids[15:] = road
    image = np.zeros((30, 40, 4), np.uint8)
    if raw:
        image[..., 2] = ids
    else:
        image[..., :3] = labels.palette_bgr[ids]
    return image


def test_raw_tags_tell_their_version_by_what_lies_on_the_ground():
    right = read_tags(street("0.9.16"), "0.9.16")
    assert (right.held, right.bottom, right.sensible) == ("raw", "Roads", True)
    wrong = read_tags(street("0.9.16"), "0.9.13")
    assert (wrong.bottom, wrong.sensible) == ("Buildings", False)
    assert wrong.versions == ("0.9.14-0.9.16", "0.10.0", "ue5-dev-after-0.10.0")
    found = judge_tags(wrong, "0.9.13")
    assert found.cause is Cause.OTHER_TAGS and "it would fit 0.9.14-0.9.16" in found.detail


def test_palette_colours_must_be_those_of_a_class():
    colours = street("0.9.13", raw=False)
    assert judge_tags(read_tags(colours, "0.9.13"), "0.9.13").level is Level.OK
    colours[:5] = (1, 2, 3, 255)
    found = judge_tags(read_tags(colours, "0.9.13"), "0.9.13")
    assert found.cause is Cause.UNKNOWN_TAGS
    assert "colour (3, 2, 1) is none of CARLA 0.9.13; it would fit no version" in found.detail


def test_a_view_without_ground_is_a_warning():
    up = street("0.9.16")[:15]
    assert judge_tags(read_tags(up, "0.9.16"), "0.9.16").level is Level.WARNING


def mounted(**parents: tuple[str, tuple[float, float, float, float]]) -> dict[str, Transform]:
    place = (2.0, 0.0, 2.0)
    return {child: Transform(parent, place, turn) for child, (parent, turn) in parents.items()}


def test_tf_leads_from_the_camera_to_the_vehicle_over_frames_between():
    found = judge_mounting(
        mounted(camera=("mast", OPTICAL), mast=("car", LEVEL), car=("map", LEVEL)),
        "camera",
        "car",
        "optical",
    )
    assert (found.level, found.detail) == (Level.OK, "camera in car, optical axes")


def test_a_camera_that_tf_does_not_know_is_told_with_what_it_knows():
    found = judge_mounting(mounted(other=("car", LEVEL)), "camera", "car", "optical")
    assert found.cause is Cause.NO_TF
    assert found.detail == "'camera' does not lead to 'car'; TF knows other"
    loop = mounted(camera=("a", LEVEL), a=("camera", LEVEL))
    assert judge_mounting(loop, "camera", "car", "optical").cause is Cause.NO_TF


@pytest.mark.parametrize("axes", ["optical", "body"])
def test_axes_of_the_other_kind_are_told(axes: str):
    turns = {"optical": OPTICAL, "body": LEVEL}
    for kind, turn in turns.items():
        found = judge_mounting(mounted(camera=("car", turn)), "camera", "car", axes)
        assert found.cause is (None if kind == axes else Cause.OTHER_AXES)


def test_an_empty_domain_is_one_line():
    seen = streams_of("/image", "/info", "/truth", "/truth_info")
    (line,) = inspect(seen, Expected("0.9.13", "car", "optical", 5.0))
    assert line.cause is Cause.ALONE


def test_our_own_nodes_tell_their_problems():
    seen = streams_of("/image", "/info", "/truth", "/truth_info")
    seen.other_nodes = ["/segmentation"]
    seen.nodes = {
        "segmentation": {
            "/segmentation": NodeReport("/segmentation", True, "active"),
            "/segmentation: /a": NodeReport("/segmentation: /a", False, "no image for 3 s"),
        },
        "ground_grid": {"/ground_grid": NodeReport("/ground_grid", True, "ready")},
    }
    lines = {line.subject: line for line in inspect(seen, Expected("0.9.13", "car", "body", 5.0))}
    assert lines["segmentation"].cause is Cause.NODE_TELLS
    assert lines["segmentation"].detail == "/segmentation: /a: no image for 3 s"
    assert lines["ground_grid"].detail == "ready"


def test_without_need_of_the_truth_its_lines_are_left_out():
    seen = streams_of("/image", "/info", "/truth", "/truth_info")
    seen.other_nodes = ["/a"]
    expected = Expected("0.9.13", "car", "body", 5.0, truth=False)
    assert "truth" not in {line.subject for line in inspect(seen, expected)}


def test_the_table_says_what_to_do_once_for_each_cause():
    lines = [
        fine("frame", "800x600"),
        problem("frames", Cause.NOBODY, "/a"),
        problem("truth", Cause.NOBODY, "/b"),
        warning("TF", Cause.NO_TF, "none"),
    ]
    text = set_table(lines)
    assert text.splitlines()[0] == "ok       frame        800x600"
    assert text.splitlines()[1] == "PROBLEM  frames       nobody publishes it: /a"
    assert text.count("Compare the name with ros2 topic list") == 1
    assert text.count("-> as above") == 1
    assert max(map(len, text.splitlines())) <= 100
    assert summarise(lines) == "2 problems, 1 warning"
    assert summarise(lines[:1]) == "All that could be looked at is well."
    assert set_table(lines, colours=True).count("\x1b[1;31mPROBLEM\x1b[0m") == 2
