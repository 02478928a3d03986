"""What the segmentation node makes of frames, over DDS between processes."""

import time
from pathlib import Path

import cv2
import numpy as np
import tiny_model
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import LATCHED, Camera, Diagnostics, RosBench, pixels, scene
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from carla_unet_ros.image_messages import to_image_message
from carla_unet_ros.labels import Uint8, carla_13, carla_label_set, mapping
from carla_unet_ros.legend import Legend

CAMERA = "/carla/ego_vehicle/rgb_front"
LABELS = f"{CAMERA}/segmentation/labels"
STATUS = f"/segmentation: {CAMERA}/image"


def start(bench: RosBench, model: Path, *ros_arguments: str, **parameters: object) -> None:
    bench.start("segmentation_node", *ros_arguments, model=model, engine="openvino", **parameters)


def answer(
    bench: RosBench, camera: Camera, images: list[Image], frame: Uint8, encoding: str = "bgra8"
) -> Image:
    """The message that comes for this frame."""
    header = camera.send(frame, encoding)
    return bench.until(lambda: next((image for image in images if image.header == header), None))


def test_everything_arrives_with_the_frames_header(bench: RosBench, tiny_model_path: Path) -> None:
    legends = bench.collect(String, f"{CAMERA}/segmentation/legend", LATCHED)
    images = {
        name: bench.collect(Image, f"{CAMERA}/segmentation/{name}")
        for name in ("labels", "confidence", "overlay")
    }
    infos = bench.collect(CameraInfo, f"{CAMERA}/segmentation/camera_info")
    start(bench, tiny_model_path, overlay_opacity=1.0)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to and legends)
    bench.until(lambda: camera.infos.get_subscription_count())
    frame, ids = scene()
    header = camera.send(frame)
    bench.until(lambda: all(images.values()))
    for found in images.values():
        assert found[0].header == header
    np.testing.assert_array_equal(pixels(images["labels"][0]), ids)
    assert (pixels(images["confidence"][0]) > 128).all()
    np.testing.assert_array_equal(pixels(images["overlay"][0]), frame[..., :3])
    legend = Legend.from_json(legends[0].data)
    assert legend.labels == carla_13()
    assert legend.model == "tiny"
    assert legend.engine.startswith("OpenVINO")

    def relayed() -> bool:
        newest = camera.send(frame)
        bench.until(lambda: images["labels"][-1].header == newest)
        return bool(infos)

    bench.until(relayed)
    assert infos[-1].header in [image.header for image in images["labels"]]
    assert (infos[-1].width, infos[-1].height) == (64, 48)


def test_nothing_is_read_or_computed_while_nobody_subscribes(
    bench: RosBench, tiny_model_path: Path
) -> None:
    diagnostics = Diagnostics(bench)
    start(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: diagnostics.message(STATUS).startswith("idle"))
    assert not camera.listened_to
    frame, _ = scene()
    camera.send(frame)

    labels: list[Image] = []
    listener = bench.node.create_subscription(Image, LABELS, labels.append, 10)
    bench.until(lambda: camera.listened_to)
    camera.send(frame)
    bench.until(lambda: labels)
    bench.until(lambda: diagnostics.value(STATUS, "frames out") == "1")
    assert diagnostics.value(STATUS, "frames in") == "1"

    bench.node.destroy_subscription(listener)
    bench.until(lambda: not camera.listened_to)
    camera.send(frame)
    bench.until(lambda: diagnostics.message(STATUS).startswith("idle"))
    assert diagnostics.value(STATUS, "frames in") == "1"


def test_labels_do_not_depend_on_encoding_or_row_padding(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    start(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    forms = {
        "bgra8": frame,
        "bgr8": frame[..., :3],
        "rgb8": frame[..., 2::-1],
        "rgba8": frame[..., [2, 1, 0, 3]],
    }
    for encoding, image in forms.items():
        found = answer(bench, camera, labels, image, encoding=encoding)
        np.testing.assert_array_equal(pixels(found), ids, err_msg=encoding)
        header = camera.header()
        camera.images.publish(padded(image, encoding, header))
        bench.until(lambda header=header: labels[-1].header == header)
        np.testing.assert_array_equal(pixels(labels[-1]), ids, err_msg=f"{encoding}, padded")


def padded(image: Uint8, encoding: str, header: Header) -> Image:
    """A message whose rows end in seven bytes that mean nothing."""
    message = to_image_message(image, encoding, header)
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    message.step += 7
    message.data = np.pad(rows, ((0, 0), (0, 7)), constant_values=99).tobytes()
    return message


def test_a_resolution_may_change_in_mid_stream(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    start(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    for height, width in ((48, 64), (60, 101), (48, 64), (1, 1)):
        frame, ids = scene(height, width)
        np.testing.assert_array_equal(pixels(answer(bench, camera, labels, frame)), ids)


BAD_FRAMES: dict[str, dict[str, object]] = {
    "is empty: it has no data": {"data": b""},
    "holds 100 bytes": {"data": bytes(100)},
    "has no size: 0x48": {"width": 0},
    "has no size: 64x0": {"height": 0},
    "step is 1 bytes": {"step": 1},
    "'nonsense' is unknown": {"encoding": "nonsense"},
    "at most 16384 pixels a side": {"width": 3_000_000_000, "height": 3_000_000_000},
}


def test_bad_frames_are_counted_and_told_and_the_next_one_works(
    bench: RosBench, tiny_model_path: Path
) -> None:
    diagnostics = Diagnostics(bench)
    frame, ids = scene()
    kinds = {f"/camera_{place}": kind for place, kind in enumerate(BAD_FRAMES)}
    labels = {name: bench.collect(Image, f"{name}/segmentation/labels") for name in kinds}
    start(bench, tiny_model_path, image_topics=[f"{name}/image" for name in kinds])
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
        np.testing.assert_array_equal(
            pixels(answer(bench, cameras[name], labels[name], frame)), ids
        )


def test_a_stream_of_bad_frames_is_a_warning_now_and_then(
    bench: RosBench, tiny_model_path: Path
) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start(bench, tiny_model_path)
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
    start(bench, model)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    np.testing.assert_array_equal(pixels(answer(bench, camera, labels, frame)), ids)
    camera.send(scene(60, 100)[0])
    bench.until(lambda: "failed on a 100x60 frame" in bench.processes[0].printed)
    np.testing.assert_array_equal(pixels(answer(bench, camera, labels, frame)), ids)
    bench.until(lambda: diagnostics.value(STATUS, "frames failed") == "1")


def test_compressed_images_are_decoded(bench: RosBench, tiny_model_path: Path) -> None:
    topic = f"{CAMERA}/image/compressed"
    labels = bench.collect(Image, LABELS)
    start(bench, tiny_model_path, image_topics=[topic])
    camera = Camera(bench, topic)
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    header = camera.header()
    good = CompressedImage(header=header, format="bgr8; png compressed bgr8")
    good.data = cv2.imencode(".png", frame[..., :3])[1].tobytes()
    bad = CompressedImage(header=camera.header(), format="jpeg", data=b"no picture")
    camera.images.publish(bad)
    bench.until(lambda: "cannot be decoded" in bench.processes[0].printed)
    camera.images.publish(good)
    bench.until(lambda: labels)
    assert labels[0].header == header
    np.testing.assert_array_equal(pixels(labels[0]), ids)


def test_output_tags_are_those_of_the_carla_version(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    overlays = bench.collect(Image, f"{CAMERA}/segmentation/overlay")
    legends = bench.collect(String, f"{CAMERA}/segmentation/legend", LATCHED)
    start(bench, tiny_model_path, output_tags="0.9.15", overlay_opacity=1.0)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to and legends)
    frame, ids = scene()
    found = answer(bench, camera, labels, frame)
    target = carla_label_set("0.9.15")
    np.testing.assert_array_equal(pixels(found), mapping(carla_13(), target)[ids])
    assert Legend.from_json(legends[0].data).labels == target
    bench.until(lambda: overlays)
    np.testing.assert_array_equal(pixels(overlays[0]), frame[..., :3])


def test_two_nodes_in_two_namespaces_do_not_meet(bench: RosBench, tiny_model_path: Path) -> None:
    cars = {}
    for seed, name in enumerate(("car_1", "car_2")):
        start(bench, tiny_model_path, "-r", f"__ns:=/{name}", image_topics=["front/image"])
        labels = bench.collect(Image, f"/{name}/front/segmentation/labels")
        cars[name] = Camera(bench, f"/{name}/front/image"), labels, *scene(seed=seed)
    bench.until(lambda: all(camera.listened_to for camera, *_ in cars.values()))
    for camera, labels, frame, ids in cars.values():
        np.testing.assert_array_equal(pixels(answer(bench, camera, labels, frame)), ids)
    for camera, labels, *_ in cars.values():
        assert len(labels) == 1
        assert camera.images.get_subscription_count() == 1


def test_ages_count_simulation_time(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start(bench, tiny_model_path, use_sim_time=True)
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
    start(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    answer(bench, camera, labels, scene()[0])
    bench.until(lambda: diagnostics.find(STATUS, "set use_sim_time to true"))
    assert diagnostics.value(STATUS, "image age (ms)") == "unknown"


def test_a_publisher_of_another_qos_is_named(bench: RosBench, tiny_model_path: Path) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start(bench, tiny_model_path)
    Camera(
        bench, f"{CAMERA}/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    bench.until(lambda: "offers another RELIABILITY" in diagnostics.message(STATUS))
    found = diagnostics(STATUS)
    assert found is not None
    assert found.level == DiagnosticStatus.WARN


def test_best_effort_accepts_every_publisher(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    start(bench, tiny_model_path, reliability="best_effort")
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    camera = Camera(bench, f"{CAMERA}/image", best_effort)
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()

    def answered() -> bool:
        camera.send(frame)
        bench.executor.spin_once(0.1)
        return bool(labels)

    bench.until(answered)
    np.testing.assert_array_equal(pixels(labels[0]), ids)


def test_a_camera_nobody_publishes_is_a_warning(bench: RosBench, tiny_model_path: Path) -> None:
    bench.collect(Image, LABELS)
    diagnostics = Diagnostics(bench)
    start(bench, tiny_model_path)
    bench.until(lambda: "nobody publishes it" in diagnostics.message(STATUS))


def test_camera_info_of_another_size_is_not_relayed(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    infos = bench.collect(CameraInfo, f"{CAMERA}/segmentation/camera_info")
    start(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to and camera.infos.get_subscription_count())
    frame, _ = scene()

    def warned() -> bool:
        camera.infos.publish(CameraInfo(width=400, height=70))
        camera.images.publish(to_image_message(frame, "bgra8", camera.header()))
        bench.executor.spin_once(0.1)
        return "camera_info is for 400x70, frames are 64x48" in bench.processes[0].printed

    bench.until(warned)
    bench.until(lambda: labels)
    assert not infos
