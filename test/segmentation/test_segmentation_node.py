# SPDX-License-Identifier: Apache-2.0
"""What the segmentation node makes of frames, over DDS between processes."""

import json
from pathlib import Path

import cv2
import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import LATCHED, Camera, Diagnostics, RosBench, pixels, scene, start_segmentation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from carla_unet_ros.labels import Uint8, carla_13, carla_label_set, mapping
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.pictures import decode_unchanged
from carla_unet_ros.ros.image_messages import to_image_message

CAMERA = "/carla/ego_vehicle/rgb_front"
LABELS = f"{CAMERA}/segmentation/labels"
STATUS = f"/segmentation: {CAMERA}/image"


def test_everything_arrives_with_the_frames_header(bench: RosBench, tiny_model_path: Path) -> None:
    legends = bench.collect(String, f"{CAMERA}/segmentation/legend", LATCHED)
    images = {
        name: bench.collect(Image, f"{CAMERA}/segmentation/{name}")
        for name in ("labels", "confidence", "overlay")
    }
    infos = bench.collect(CameraInfo, f"{CAMERA}/segmentation/camera_info")
    start_segmentation(bench, tiny_model_path, overlay_opacity=1.0)
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
    start_segmentation(bench, tiny_model_path)
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
    start_segmentation(bench, tiny_model_path)
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
        found = camera.answer(image, labels, encoding=encoding)
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
    start_segmentation(bench, tiny_model_path)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    for height, width in ((48, 64), (60, 101), (48, 64), (1, 1)):
        frame, ids = scene(height, width)
        np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)


def test_compressed_images_are_decoded(bench: RosBench, tiny_model_path: Path) -> None:
    topic = f"{CAMERA}/image/compressed"
    labels = bench.collect(Image, LABELS)
    start_segmentation(bench, tiny_model_path, image_topics=[topic])
    camera = Camera(bench, topic)
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    header = camera.header()
    good = CompressedImage(header=header, format="bgr8; png compressed bgr8")
    good.data = cv2.imencode(".png", frame[..., :3])[1].tobytes()
    bad = CompressedImage(header=camera.header(), format="jpeg", data=b"no picture")
    camera.images.publish(bad)
    bench.until(lambda: "no picture that can be read" in bench.processes[0].printed)
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
    start_segmentation(bench, tiny_model_path, output_tags="0.9.15", overlay_opacity=1.0)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to and legends)
    frame, ids = scene()
    found = camera.answer(frame, labels)
    target = carla_label_set("0.9.15")
    np.testing.assert_array_equal(pixels(found), mapping(carla_13(), target)[ids])
    assert Legend.from_json(legends[0].data).labels == target
    bench.until(lambda: overlays)
    np.testing.assert_array_equal(pixels(overlays[0]), frame[..., :3])


def test_two_nodes_in_two_namespaces_do_not_meet(bench: RosBench, tiny_model_path: Path) -> None:
    cars = {}
    for seed, name in enumerate(("car_1", "car_2")):
        start_segmentation(
            bench, tiny_model_path, "-r", f"__ns:=/{name}", image_topics=["front/image"]
        )
        labels = bench.collect(Image, f"/{name}/front/segmentation/labels")
        cars[name] = Camera(bench, f"/{name}/front/image"), labels, *scene(seed=seed)
    bench.until(lambda: all(camera.listened_to for camera, *_ in cars.values()))
    for camera, labels, frame, ids in cars.values():
        np.testing.assert_array_equal(pixels(camera.answer(frame, labels)), ids)
    for camera, labels, *_ in cars.values():
        assert len(labels) == 1
        assert camera.images.get_subscription_count() == 1


def test_best_effort_accepts_every_publisher(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    start_segmentation(bench, tiny_model_path, reliability="best_effort")
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


def test_camera_info_of_another_size_is_not_relayed(
    bench: RosBench, tiny_model_path: Path
) -> None:
    labels = bench.collect(Image, LABELS)
    infos = bench.collect(CameraInfo, f"{CAMERA}/segmentation/camera_info")
    start_segmentation(bench, tiny_model_path)
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


def test_compressed_labels_hold_every_id_and_are_wanted_alone(
    bench: RosBench, tiny_model_path: Path
) -> None:
    found = bench.collect(CompressedImage, f"{LABELS}/compressed")
    start_segmentation(bench, tiny_model_path, min_confidence=0.001)
    camera = Camera(bench, f"{CAMERA}/image")
    legends = bench.collect(String, f"{CAMERA}/segmentation/legend", LATCHED)
    bench.until(lambda: camera.listened_to and legends)
    assert json.loads(legends[0].data)["unknown"]["id"] == 255
    frame, ids = scene()
    header = camera.send(frame)
    bench.until(lambda: found)
    assert found[0].header == header
    np.testing.assert_array_equal(decode_unchanged(bytes(found[0].data), "labels"), ids)


def test_the_qos_of_inputs_and_outputs_can_be_overridden(
    bench: RosBench, tiny_model_path: Path
) -> None:
    image = f"{CAMERA}/image"
    overrides = {
        f"qos_overrides.{image}.subscription.reliability": "best_effort",
        f"qos_overrides.{LABELS}.publisher.reliability": "best_effort",
        f"qos_overrides.{LABELS}.publisher.depth": 2,
    }
    start_segmentation(bench, tiny_model_path, **overrides)
    bench.collect(Image, LABELS, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    (publisher,) = bench.until(lambda: bench.node.get_publishers_info_by_topic(LABELS))
    assert publisher.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    (subscription,) = bench.until(lambda: bench.node.get_subscriptions_info_by_topic(image))
    assert subscription.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
