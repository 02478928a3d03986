# SPDX-License-Identifier: Apache-2.0
"""The view as a person at a browser has it: the page, its pictures, and what it costs."""

import os
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from ros_bench import LATCHED, Camera, Diagnostics, Process, RosBench, free_ports, refusal
from sensor_msgs.msg import Image
from std_msgs.msg import String

from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.image_messages import to_image_message
from carla_unet_ros.view.view_node import Parameters, ViewNode

pytest.importorskip("rerun", reason="the page needs rerun-sdk: pip install '.[view]'")
pytestmark = pytest.mark.once

CYAN = (255, 255, 0)
ROAD = 7
ROAD_BGR = (128, 64, 128)


class Drive:
    """Publishes the frames, labels and truth that the view shows, all of one colour."""

    def __init__(self, bench: RosBench) -> None:
        self._camera = Camera(bench, Parameters.image_topic.default)
        labels = Parameters.labels_topic.default
        self._labels = bench.node.create_publisher(Image, labels, 10)
        self._truth = bench.node.create_publisher(Image, Parameters.truth_topic.default, 10)
        self._legend = bench.node.create_publisher(
            String, labels.replace("labels", "legend"), LATCHED
        )
        legend = Legend(carla_13(), carla_13(), "m", "e")
        self._legend.publish(String(data=legend.to_json()))

    @property
    def listened_to(self) -> bool:
        return self._camera.listened_to and self._labels.get_subscription_count() > 0

    def tick(self) -> None:
        frame = np.full((60, 80, 4), (*CYAN, 255), np.uint8)
        header = self._camera.send(frame)
        ids = np.full((60, 80), ROAD, np.uint8)
        self._labels.publish(to_image_message(ids, "mono8", header))
        tags = np.zeros_like(frame)
        tags[..., 2] = ROAD  # as CARLA's own ROS 2 interface sends them
        self._truth.publish(to_image_message(tags, "bgra8", header))


def start(bench: RosBench, **parameters: object) -> tuple[Process, Diagnostics]:
    diagnostics = Diagnostics(bench)
    process = bench.start("view.view_node", **free_ports(), **parameters)
    bench.until(lambda: diagnostics.value("/view", "page"))
    return process, diagnostics


def near(picture: Uint8, colour: tuple[int, ...]) -> int:
    """How many pixels of a screenshot have about this colour (B, G, R)."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


def test_the_page_shows_camera_labels_and_truth_of_a_drive(
    bench: RosBench, tmp_path: Path
) -> None:
    browser = Browser(tmp_path)
    try:
        _, diagnostics = start(bench)
        drive = Drive(bench)
        bench.until(lambda: drive.listened_to)
        for _ in range(8):
            drive.tick()
            bench.spin(0.1)
        bench.until(lambda: int(diagnostics.value("/view", "frames shown")) >= 2)
        browser.open(diagnostics.value("/view", "page"))
        until = time.monotonic() + 180
        # The camera; labels and truth.
        while near(picture := browser.look(), CYAN) < 3_000 or near(picture, ROAD_BGR) < 8_000:
            assert time.monotonic() < until, (near(picture, CYAN), near(picture, ROAD_BGR))
        bench.until(lambda: diagnostics.value("/view", "browsers") not in ("", "0"))
    finally:
        browser.close()


def test_the_view_says_what_it_costs_and_a_frame_in_ten_is_shown_at_two_a_second(
    bench: RosBench,
) -> None:
    _, diagnostics = start(bench, shown_rate=2.0)
    with urllib.request.urlopen(diagnostics.value("/view", "page"), timeout=60) as page:
        assert "<canvas" in page.read().decode()
    drive = Drive(bench)
    bench.until(lambda: drive.listened_to)
    drive.tick()
    bench.until(lambda: diagnostics.value("/view", "frames shown") == "1")
    for _ in range(10):  # 50 ms apart: the tenth comes half a second after the one shown
        drive.tick()
        bench.spin(0.05)
    bench.until(lambda: diagnostics.value("/view", "frames shown") == "2")
    assert diagnostics.value("/view", "frames skipped") == "9"
    assert float(diagnostics.value("/view", "memory of the server (MB)")) > 1
    assert float(diagnostics.value("/view", "CPU (% of a core)")) >= 0


def test_nothing_is_subscribed_to_where_nobody_watches_and_only_watched_is_set(
    bench: RosBench,
) -> None:
    _, diagnostics = start(bench, only_watched=True)
    drive = Drive(bench)
    bench.until(lambda: "idle: no browser" in diagnostics.message("/view"))
    assert not drive.listened_to


def test_a_server_that_has_ended_is_an_error(bench: RosBench) -> None:
    process, diagnostics = start(bench)
    (server,) = children(process.popen.pid)
    os.kill(server, signal.SIGKILL)
    bench.until(lambda: "the server has ended with status -9" in diagnostics.message("/view"))


def test_the_server_ends_with_the_node_whatever_way_that_ends(bench: RosBench) -> None:
    process, _ = start(bench)
    (server,) = children(process.popen.pid)
    process.popen.kill()
    process.popen.wait()
    bench.processes.remove(process)
    bench.until(lambda: not Path(f"/proc/{server}/exe").exists())


def test_a_port_that_is_taken_and_a_wrong_address_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = refusal(ViewNode, page_port=port, data_port=free_ports()["data_port"])
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in text
    assert "are both 9090" in refusal(ViewNode, page_port=9090, data_port=9090)
    assert "192.0.2.7, port" in refusal(ViewNode, page_address="192.0.2.7", **free_ports())
    assert "'localhost' does not appear to be" in refusal(ViewNode, page_address="localhost")


def test_without_rerun_the_node_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    assert "pip install rerun-sdk" in refusal(ViewNode)


def children(process: int) -> list[int]:
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
