# SPDX-License-Identifier: Apache-2.0
"""What the segmentation node says of itself: bad frames, failures, ages, silence."""

import time
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import Camera, Diagnostics, RosBench, pixels, scene, start_segmentation
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from carla_unet_ros.engines.tensorrt_engine import engine as tensorrt_engine
from carla_unet_ros.pictures import encode
from carla_unet_ros.ros.image_messages import to_image_message

CAMERA = "/carla/ego_vehicle/rgb_front"
LABELS = f"{CAMERA}/segmentation/labels"
STATUS = f"/segmentation: {CAMERA}/image"


BAD_FRAMES: dict[str, dict[str, object]] = {
    "is empty: it has no data": {"data": b""},
    "holds 100 bytes": {"data": bytes(100)},
    "has no size: 0x48": {"width": 0},
    "has no size: 64x0": {"height": 0},
    "step is 1 bytes": {"step": 1},
    "'nonsense' is unknown": {"encoding": "nonsense"},
    "expected at most 9 million pixels": {"width": 3_000_000_000, "height": 3_000_000_000},
}


def test_bad_frames_are_counted_and_told_and_the_next_one_works(
    bench: RosBench, tiny_model_path: Path
) -> None:
    diagnostics = Diagnostics(bench)
    frame, ids = scene()
    kinds = {f"/camera_{place}": kind for place, kind in enumerate(BAD_FRAMES)}
    labels = {name: bench.collect(Image, f"{name}/segmentation/labels") for name in kinds}
    start_segmentation(bench, tiny_model_path, image_topics=[f"{name}/image" for name in kinds])
    cameras = {name: Camera(bench, f"{name}/image") for name in kinds}
    bench.until(lambda: all(camera.listened_to for camera in cameras.values()))
    for name, camera in cameras.items():
        message = to_image_message(frame, "bgra8", camera.header())
        for field, value in BAD_FRAMES[kinds[name]].items():
            setattr(message, field, value)
        camera.images.publish(message)
    for name, kind in kinds.items():
        status = f"/segmentation: {name}/image"
        found = bench.until(lambda status=status, kind=kind: diagnostics.find(status, kind))
        assert found.level == DiagnosticStatus.WARN
        assert diagnostics.value(status, "frames bad") == "1"
        assert bench.processes[0].printed.count(kind) == 1
        np.testing.assert_array_equal(pixels(cameras[name].answer(frame, labels[name])), ids)


def test_a_frame_above_the_limit_is_refused_before_an_engine_is_prepared_for_it(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    node = start_segmentation(bench, tiny_model_path, largest_frame=0.005)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    camera.send(scene(60, 100)[0])
    sentence = "the image is 100x60 bgra8; expected at most 0.005 million pixels"
    bench.until(lambda: diagnostics.find(STATUS, sentence))
    frame, ids = scene(48, 64)
    np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)
    assert diagnostics.value(STATUS, "frames bad") == "1"
    assert "ready for 64x48 frames" in node.printed
    assert "100x60 frames" not in node.printed


def test_a_stream_of_bad_frames_is_a_warning_now_and_then(
    bench: RosBench, tiny_model_path: Path
) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    began = time.monotonic()

    def twenty() -> bool:
        camera.images.publish(Image(header=camera.header(), encoding="bgra8", width=4, height=4))
        bench.executor.spin_once(0.01)
        return int(diagnostics.value(STATUS, "frames bad") or 0) >= 20

    bench.until(twenty)
    warnings = bench.processes[0].printed.count("frame skipped")
    assert 1 <= warnings <= 1 + (time.monotonic() - began) / 5


def test_an_engine_that_fails_is_told_and_the_next_frame_works(
    bench: RosBench, tmp_path: Path
) -> None:
    model = tiny_model.write(tmp_path / "picky.onnx", only_size=(48, 64))
    labels = bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, model)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)
    camera.send(scene(60, 100)[0])
    bench.until(lambda: "picky.onnx for 100x60 frames: " in bench.processes[0].printed)
    np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)
    bench.until(lambda: diagnostics.value(STATUS, "frames failed") == "1")


@pytest.mark.skipif(not tensorrt_engine.missing(), reason="a GPU answers here")
def test_which_engine_runs_and_why_it_is_no_better_one(
    bench: RosBench, tiny_model_path: Path
) -> None:
    diagnostics = Diagnostics(bench)
    node = bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="auto")
    bench.until(lambda: diagnostics.value("/segmentation", "state") == "active")
    assert diagnostics.value("/segmentation", "engine").startswith("OpenVINO")
    reason = diagnostics.value("/segmentation", "why this engine")
    assert reason.startswith("TensorRT cannot run here: ")
    assert node.printed.count(reason) == 1


def test_ages_count_simulation_time(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path, use_sim_time=True)
    clock = bench.node.create_publisher(Clock, "/clock", 10)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    bench.until(lambda: clock.get_subscription_count())
    frame, _ = scene()

    def aged() -> bool:
        """Simulation time stands 120 ms after the frame's stamp."""
        header = camera.header()
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        seconds, nanoseconds = divmod(stamp + 120 * 10**6, 10**9)
        clock.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))
        camera.send(frame, header=header)
        bench.until(lambda: labels and labels[-1].header == header)
        return diagnostics.value(STATUS, "image age (ms)") == "120.0"

    bench.until(aged)


def test_simulation_stamps_without_use_sim_time_are_told(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    camera.answer(scene()[0], labels)
    bench.until(lambda: diagnostics.find(STATUS, "set use_sim_time to true"))
    assert diagnostics.value(STATUS, "image age (ms)") == "unknown"


def test_a_publisher_of_another_qos_is_named(bench: RosBench, tiny_model_path: Path) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path)
    Camera(
        bench, f"{CAMERA}/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    bench.until(lambda: "offers another RELIABILITY" in diagnostics.message(STATUS))
    found = diagnostics(STATUS)
    assert found is not None
    assert found.level == DiagnosticStatus.WARN


@pytest.mark.parametrize(
    ("topic", "kind", "sentence"),
    [
        ("/front/image", CompressedImage, "-r /front/image/compressed:=/front/image"),
        ("/front/compressed", Image, "-r /front/raw:=/front/compressed"),
    ],
)
def test_a_topic_of_another_type_is_told_with_the_way_to_take_it(
    bench: RosBench, tiny_model_path: Path, topic: str, kind: type, sentence: str
) -> None:
    bench.collect(Image, "/front/segmentation/labels")
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path, image_topics=[topic])
    bench.node.create_publisher(kind, topic, 10)
    found = bench.until(lambda: diagnostics.find(f"/segmentation: {topic}", sentence))
    assert f"{topic} carries sensor_msgs/msg/{kind.__name__}, expected" in found.message
    assert found.level == DiagnosticStatus.WARN


def test_compressed_frames_on_any_name_are_taken_as_the_advice_says(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, "/front/segmentation/labels")
    start_segmentation(
        bench,
        tiny_model_path,
        "-r",
        "/front/image/compressed:=/front/image",
        image_topics=["/front/image/compressed"],
    )
    images = bench.node.create_publisher(CompressedImage, "/front/image", 10)
    bench.until(images.get_subscription_count)
    frame, ids = scene()
    images.publish(CompressedImage(format="png", data=encode(frame[..., :3])))
    np.testing.assert_array_equal(pixels(bench.until(lambda: labels and labels[-1])), ids)


def test_a_camera_nobody_publishes_is_a_warning(bench: RosBench, tiny_model_path: Path) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start_segmentation(bench, tiny_model_path)
    bench.until(lambda: "nobody publishes it" in diagnostics.message(STATUS))
