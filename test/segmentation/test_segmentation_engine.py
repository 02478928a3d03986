# SPDX-License-Identifier: Apache-2.0
"""The segmentation node while its engine is prepared: it answers, and serves who can be served.

The engine is a double whose preparation of 80x60 frames ends when the test says so.
"""

import os
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_bench import Camera, Diagnostics, Process, RosBench, pixels, scene
from sensor_msgs.msg import CameraInfo, Image

NODE = """
import sys
from pathlib import Path
from carla_unet_ros.engines import EngineError
from carla_unet_ros.segmentation import segmentation_node
from carla_unet_ros.segmenter import Segmenter

class Slow(Segmenter):
    def prepare(self, size):
        if str(size) == "80x60":
            if told := Path(sys.argv[1]).read_text():  # a pipe: waits until the test closes it
                raise EngineError(told)
        super().prepare(size)

segmentation_node.Segmenter = Slow
sys.exit(segmentation_node.main(sys.argv[2:]))
"""
SLOW, FAST = "/slow/image", "/fast/image"
SLOW_STATUS = f"/segmentation: {SLOW}"
WAITING = "frames waiting for the engine"


class SlowEngine:
    """A segmentation node of two cameras, /slow and /fast, whose engine waits for `finish`."""

    def __init__(self, bench: RosBench, model: Path, folder: Path, *arguments: str) -> None:
        self._bench = bench
        self._pipe = folder / "engine"
        os.mkfifo(self._pipe)
        parameters = [f"model:={model}", "engine:=openvino", f"image_topics:=[{SLOW}, {FAST}]"]
        words = [word for entry in (*parameters, *arguments) for word in ("-p", entry)]
        command = [sys.executable, "-c", NODE, str(self._pipe), "--ros-args", *words]
        self.process = Process(command, folder / "node.txt")
        bench.processes.append(self.process)

    def finish(self, failure: str = "") -> None:
        """Waits until the engine is being prepared, and lets it be ready, or fail."""
        with self._bench.until(self._opened) as pipe:
            pipe.write(failure)

    def _opened(self) -> TextIO | None:
        """The pipe, where the node reads from it."""
        try:
            return os.fdopen(os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK), "w")
        except OSError:
            return None


@pytest.fixture
def engine(bench: RosBench, tiny_model_path: Path, tmp_path: Path) -> SlowEngine:
    return SlowEngine(bench, tiny_model_path, tmp_path)


def start_slow_camera(bench: RosBench) -> tuple[Camera, list[Image]]:
    """The slow camera after its first frame, for which the engine is being prepared."""
    labels = bench.collect(Image, "/slow/segmentation/labels")
    camera = Camera(bench, SLOW)
    bench.until(lambda: camera.listened_to)
    camera.send(scene(60, 80)[0])
    return camera, labels


def test_frames_wait_counted_and_only_the_newest_is_segmented(
    bench: RosBench, engine: SlowEngine
) -> None:
    diagnostics = Diagnostics(bench)
    camera, labels = start_slow_camera(bench)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "1")
    frame, ids = scene(60, 80, seed=1)
    header = camera.send(frame)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "2")
    waits = "waiting for the engine, which is prepared for 80x60 frames, for "
    found = bench.until(lambda: diagnostics.find(SLOW_STATUS, waits))
    assert found.level == DiagnosticStatus.WARN
    assert diagnostics.value("/segmentation", "engine is prepared for").startswith("80x60 frames")
    assert not labels

    engine.finish()
    bench.until(lambda: labels)
    assert labels[0].header == header
    np.testing.assert_array_equal(pixels(labels[0]), ids)
    camera.answer(frame, labels)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, "frames out") == "2")
    assert diagnostics.value(SLOW_STATUS, WAITING) == "1"
    assert diagnostics.value(SLOW_STATUS, "frames in") == "2"
    assert diagnostics.value("/segmentation", "engine is prepared for") == "nothing more"


def test_meanwhile_the_node_answers_and_serves_a_camera_whose_size_is_ready(
    bench: RosBench, engine: SlowEngine
) -> None:
    fast_labels = bench.collect(Image, "/fast/segmentation/labels")
    fast = Camera(bench, FAST)
    bench.until(lambda: fast.listened_to)
    frame, ids = scene()
    fast.answer(frame, fast_labels)
    diagnostics = Diagnostics(bench)
    _, slow_labels = start_slow_camera(bench)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "1")
    for _ in range(3):
        np.testing.assert_array_equal(pixels(fast.answer(frame, fast_labels)), ids)
    opacity = Parameter("overlay_opacity", value=0.3).to_parameter_msg()
    request = SetParameters.Request(parameters=[opacity])
    answer = bench.call(SetParameters, "/segmentation/set_parameters", request)
    assert answer.results[0].successful
    assert not slow_labels
    engine.finish()
    bench.until(lambda: slow_labels)


def test_it_is_deactivated_at_once_and_the_engine_is_ready_when_it_comes_back(
    bench: RosBench, engine: SlowEngine
) -> None:
    camera, labels = start_slow_camera(bench)
    diagnostics = Diagnostics(bench)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "1")
    assert change(bench, Transition.TRANSITION_DEACTIVATE)
    bench.until(lambda: not camera.listened_to)
    engine.finish()
    bench.until(lambda: "ready for 80x60 frames" in engine.process.printed)
    assert change(bench, Transition.TRANSITION_ACTIVATE)
    bench.until(lambda: camera.listened_to)
    frame, ids = scene(60, 80)
    np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)
    assert len(labels) == 1  # not the frame from before


def test_it_is_cleaned_up_and_configured_anew_at_once(bench: RosBench, engine: SlowEngine) -> None:
    camera, labels = start_slow_camera(bench)
    diagnostics = Diagnostics(bench)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "1")
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change(bench, transition)
    engine.finish()  # for nobody
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert change(bench, transition)
    bench.until(lambda: camera.listened_to)
    camera.send(scene(60, 80)[0])
    engine.finish()
    bench.until(lambda: labels)


def change(bench: RosBench, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    answer = bench.call_once(ChangeState, "/segmentation/change_state", request, seconds=60.0)
    return bool(answer and answer.success)


def test_ctrl_c_ends_it_at_once(bench: RosBench, engine: SlowEngine) -> None:
    """Nothing can interrupt a library that builds; this one would take for ever."""
    diagnostics = Diagnostics(bench)
    start_slow_camera(bench)
    bench.until(lambda: diagnostics.value(SLOW_STATUS, WAITING) == "1")
    engine.process.end_cleanly()


def test_an_engine_that_cannot_be_prepared_is_an_error_and_ends_nothing(
    bench: RosBench, engine: SlowEngine
) -> None:
    diagnostics = Diagnostics(bench)
    camera, _ = start_slow_camera(bench)
    engine.finish(failure="no memory is left on the GPU")
    for name in ("/segmentation", SLOW_STATUS):
        found = bench.until(lambda name=name: diagnostics.find(name, "no memory is left"))
        assert found.level == DiagnosticStatus.ERROR
    camera.send(scene(60, 80)[0])
    bench.until(lambda: diagnostics.value(SLOW_STATUS, "frames failed") == "2")
    assert diagnostics.value(SLOW_STATUS, WAITING) == "0"

    labels = bench.collect(Image, "/fast/segmentation/labels")
    fast = Camera(bench, FAST)
    bench.until(lambda: fast.listened_to)
    frame, ids = scene()
    np.testing.assert_array_equal(pixels(fast.answer(frame, labels)), ids)


def test_the_engine_is_prepared_before_any_frame_where_the_size_is_given(
    bench: RosBench, tiny_model_path: Path, tmp_path: Path
) -> None:
    engine = SlowEngine(bench, tiny_model_path, tmp_path, "frame_size:='80x60'")
    engine.finish()
    bench.until(lambda: "ready for 80x60 frames" in engine.process.printed)


def test_camera_info_gives_the_size_though_nobody_wants_the_frames(
    bench: RosBench, engine: SlowEngine
) -> None:
    infos = bench.node.create_publisher(CameraInfo, "/slow/camera_info", 10)
    bench.until(infos.get_subscription_count)
    # The node unsubscribes after the first that it receives; one sent too early is lost.
    info = CameraInfo(width=80, height=60)
    bench.until(lambda: infos.publish(info) or not infos.get_subscription_count())
    engine.finish()
    bench.until(lambda: "ready for 80x60 frames" in engine.process.printed)
