# SPDX-License-Identifier: Apache-2.0
"""Frames of several cameras, dispatched one at a time: whose, how new, and at what cost.

Cameras and dispatcher are on the bench's own node. An engine too slow for all is one during whose
work every camera publishes a newer frame, which has arrived when it is done.
"""

from collections import Counter

import pytest
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from ros_bench import RosBench
from sensor_msgs.msg import Image

from carla_unet_ros.segmentation.camera_input import Frame
from carla_unet_ros.segmentation.frame_dispatcher import FrameDispatcher

NAMES = "abcd"


class Road:
    """Cameras of one dispatcher, and the engine they share.

    served: the camera, its frame's number, and the newest number it had published by then
    taken:  how many frames came out of the middleware
    """

    def __init__(self, bench: RosBench) -> None:
        self.bench = bench
        self.dispatcher = FrameDispatcher(bench.node)
        self.cameras: list[NumberingCamera] = []
        self.served: list[tuple[str, int, int]] = []
        self.taken = 0
        self.busy = True

    def line_up(self, names: str, subscribe_in: str) -> None:
        """Gives the cameras turns in the one order; the executor asks them in the other."""
        cameras = {name: NumberingCamera(self, name) for name in names}
        for name in names:
            self.dispatcher.join(cameras[name])
        for name in subscribe_in:
            cameras[name].subscribe()
        self.cameras = list(cameras.values())
        self.bench.until(lambda: all(cameras[name].subscribed_to for name in subscribe_in))

    def publish(self, silent: str = "") -> None:
        """One more frame of every camera that is not silent; they have arrived at the end."""
        for camera in self.cameras:
            if camera.name not in silent:
                camera.publish()

    @property
    def order(self) -> str:
        return "".join(name for name, _, _ in self.served)


class NumberingCamera:
    """A camera whose frames are numbered from 1, in their width."""

    def __init__(self, road: Road, name: str) -> None:
        self.name = name
        self.silent = ""
        self.replaced = 0
        self._road = road
        self._number = 0
        self._images = road.bench.node.create_publisher(Image, f"/{name}/image", 10)

    @property
    def subscribed_to(self) -> bool:
        return self._images.get_subscription_count() > 0

    def subscribe(self) -> None:
        self._road.bench.node.create_subscription(
            Image,
            f"/{self.name}/image",
            self._on_image,
            QoSProfile(depth=1),
            callback_group=self._road.dispatcher.subscription_group(self),
        )

    def publish(self) -> None:
        self._number += 1
        self._images.publish(Image(width=self._number))
        assert self._images.wait_for_all_acked(Duration(seconds=10))

    def segment(self, frame: Frame) -> None:
        assert isinstance(frame, Image)
        self._road.served.append((self.name, frame.width, self._number))
        if self._road.busy:
            self._road.publish(self.silent)

    def _on_image(self, image: Image) -> None:
        self._road.taken += 1
        self.replaced += self._road.dispatcher.dispatch(self, image)


@pytest.fixture
def road(bench: RosBench) -> Road:
    return Road(bench)


@pytest.mark.parametrize("subscribe_in", ["abcd", "dcba", "cdab"])
def test_an_overloaded_engine_serves_all_equally_each_with_its_newest_frame(
    road: Road, subscribe_in: str
) -> None:
    road.line_up(NAMES, subscribe_in)
    road.publish()
    road.bench.until(lambda: len(road.served) >= 40)
    assert road.order[:40] == NAMES * 10
    assert all(number == newest for _, number, newest in road.served)


@pytest.mark.parametrize("subscribe_in", ["abcd", "dcba", "cdab"])
def test_an_overloaded_engine_takes_at_most_two_frames_for_each_it_segments(
    road: Road, subscribe_in: str
) -> None:
    """Of the four there are each time: the others are replaced in the middleware."""
    road.line_up(NAMES, subscribe_in)
    road.publish()
    road.bench.until(lambda: len(road.served) >= 40)
    assert road.taken <= 2 * len(road.served)
    waiting = road.taken - len(road.served) - sum(camera.replaced for camera in road.cameras)
    assert 0 <= waiting <= len(NAMES)


def test_cameras_that_come_in_the_order_of_their_turns_have_each_frame_taken_once(
    road: Road,
) -> None:
    road.line_up(NAMES, NAMES)
    road.publish()
    road.bench.until(lambda: len(road.served) >= 40)
    assert road.taken == len(road.served)


def test_a_silent_camera_holds_up_nobody_and_is_served_as_soon_as_it_speaks(road: Road) -> None:
    road.line_up(NAMES, NAMES)
    for camera in road.cameras:
        camera.silent = "a"
    road.publish(silent="a")
    road.bench.until(lambda: len(road.served) >= 30)
    counts = Counter(road.order)
    assert counts["a"] == 0
    assert max(counts.values()) - min(counts[name] for name in "bcd") <= 1
    assert all(number == newest for _, number, newest in road.served)
    before = len(road.served)
    road.cameras[0].publish()
    road.bench.until(lambda: len(road.served) >= before + 2)
    assert "a" in road.order[before : before + 2]


def test_an_idle_engine_serves_every_frame(road: Road) -> None:
    road.busy = False
    road.line_up(NAMES, "dcba")
    for tick in range(1, 6):
        road.publish()
        road.bench.until(lambda tick=tick: len(road.served) == len(NAMES) * tick)
    assert set(Counter(road.order).values()) == {5}
    assert road.taken == 20


def test_a_camera_alone_is_served_in_its_callback(road: Road) -> None:
    road.busy = False
    road.line_up("a", "a")
    (camera,) = road.cameras
    assert not road.dispatcher.dispatch(camera, Image(width=7))
    assert [(name, number) for name, number, _ in road.served] == [("a", 7)]


def test_a_frame_of_a_camera_that_left_is_not_segmented(road: Road) -> None:
    road.busy = False
    road.line_up("abc", "")
    _, b, c = road.cameras
    assert not road.dispatcher.dispatch(c, Image(width=1))
    assert not road.dispatcher.dispatch(b, Image(width=1))
    assert road.dispatcher.dispatch(b, Image(width=2))
    road.dispatcher.leave(b)
    road.bench.until(lambda: road.served)
    assert [(name, number) for name, number, _ in road.served] == [("c", 1)]


def test_an_error_of_one_camera_does_not_keep_the_frames_of_others_waiting(road: Road) -> None:
    road.busy = False
    road.line_up("abc", "")
    _, b, c = road.cameras
    b.segment = fail
    road.dispatcher.dispatch(b, Image(width=1))
    road.dispatcher.dispatch(c, Image(width=1))
    with pytest.raises(ZeroDivisionError):
        road.bench.until(lambda: road.served)
    road.bench.until(lambda: road.served)
    assert road.order == "c"


def fail(frame: Frame) -> None:
    raise ZeroDivisionError(frame)
