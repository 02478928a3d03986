# SPDX-License-Identifier: Apache-2.0
"""semantic_cloud_node as a process of its own, fed over DDS with a wall at a known distance."""

from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros_bench import LATCHED, Diagnostics, RosBench
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header, String

from carla_unet_ros.cloud.semantic_cloud import POINT
from carla_unet_ros.labels import Uint8, carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.depth_images import to_coded_message, to_depth_message
from carla_unet_ros.ros.image_messages import to_image_message

CAMERA, DEPTH = "/carla/ego_vehicle/rgb_front", "/carla/ego_vehicle/depth_front"
CLOUD = f"{CAMERA}/segmentation/semantic_cloud"
NODE = "cloud.semantic_cloud_node"
WIDTH, HEIGHT = 80, 60
ROADS, VEHICLES = carla_13().ids(["Roads", "Vehicles"])
LEGEND = Legend(carla_13(), carla_13(), "tiny", "OpenVINO")


def camera_info(focal: float = 40.0) -> CameraInfo:
    k = [focal, 0.0, WIDTH / 2, 0.0, focal, HEIGHT / 2, 0.0, 0.0, 1.0]
    return CameraInfo(width=WIDTH, height=HEIGHT, k=k, distortion_model="plumb_bob")


def labels(width: int = WIDTH) -> Uint8:
    """A vehicle in the upper half, road below it."""
    image = np.full((HEIGHT, width), ROADS, np.uint8)
    image[: HEIGHT // 2] = VEHICLES
    return image


class Scene:
    """Stands for both cameras and segmentation_node."""

    def __init__(self, bench: RosBench, legend: bool = True, infos: bool = True) -> None:
        publisher = bench.node.create_publisher
        self.bench = bench
        self.images = {
            name: publisher(Image, topic, 5)
            for name, topic in (
                ("labels", f"{CAMERA}/segmentation/labels"),
                ("confidence", f"{CAMERA}/segmentation/confidence"),
                ("depth", f"{DEPTH}/image"),
            )
        }
        self.info = publisher(CameraInfo, f"{CAMERA}/camera_info", 5)
        self.depth_info = publisher(CameraInfo, f"{DEPTH}/camera_info", 5)
        self.legend = publisher(String, f"{CAMERA}/segmentation/legend", LATCHED)
        if legend:
            self.legend.publish(String(data=LEGEND.to_json()))
        self.infos = infos
        self.clouds: list[PointCloud2] = []
        self.diagnostics = Diagnostics(bench)
        self.sent = 0

    def want_the_cloud(self) -> Any:
        kind, topic = PointCloud2, CLOUD
        return self.bench.node.create_subscription(kind, topic, self.clouds.append, 10)

    def send(
        self,
        metres: float = 10.0,
        coded: bool = False,
        info: CameraInfo | None = None,
        width: int = WIDTH,
        late: int = 0,
    ) -> Header:
        """One tick: a wall across the view. `late` shifts the stamp of depth, in nanoseconds."""
        self.sent += 1
        header = Header(frame_id="ego_vehicle/rgb_front")
        header.stamp.sec, header.stamp.nanosec = divmod(self.sent * 50_000_000, 10**9)
        if self.infos:
            self.info.publish(camera_info())
            self.depth_info.publish(info or camera_info())
        stamp = Time(sec=header.stamp.sec, nanosec=header.stamp.nanosec + late)
        of_depth = Header(frame_id="ego_vehicle/depth_front", stamp=stamp)
        make = to_coded_message if coded else to_depth_message
        wall = np.full((HEIGHT, width), metres, np.float32)
        self.images["depth"].publish(make(wall, of_depth))
        self.images["labels"].publish(to_image_message(labels(), "mono8", header))
        sure = np.full((HEIGHT, WIDTH), 200, np.uint8)
        self.images["confidence"].publish(to_image_message(sure, "mono8", header))
        return header

    def until(self, condition: Any, **how: Any) -> Any:
        """Sends the same tick again and again until the condition holds."""

        def attempt() -> Any:
            self.send(**how)
            self.bench.executor.spin_once(0.1)
            return condition()

        return self.bench.until(attempt)

    def until_problem(self, text: str, **how: Any) -> None:
        self.until(lambda: self.diagnostics.find("/semantic_cloud", text), **how)

    def until_points(self, condition: Any, **how: Any) -> np.ndarray:
        """Sends until the newest cloud's points fulfil it; gives them."""
        self.until(lambda: self.clouds and condition(points(self.clouds[-1])), **how)
        return points(self.clouds[-1])


def points(cloud: PointCloud2) -> np.ndarray:
    return np.frombuffer(cloud.data, POINT).reshape(cloud.height, cloud.width)


def set_parameter(bench: RosBench, name: str, value: Any) -> bool:
    request = SetParameters.Request()
    request.parameters = [Parameter(name, value=value).to_parameter_msg()]
    answer = bench.call(SetParameters, "/semantic_cloud/set_parameters", request)
    return answer.results[0].successful


def test_a_cloud_is_organised_like_its_images_and_has_the_header_of_the_labels(bench: RosBench):
    bench.start(NODE)
    scene = Scene(bench)
    scene.want_the_cloud()
    scene.until(lambda: scene.clouds)
    cloud = scene.clouds[-1]
    assert (cloud.width, cloud.height) == (WIDTH, HEIGHT)
    assert (cloud.point_step, cloud.row_step) == (18, 18 * WIDTH)
    assert not cloud.is_bigendian and not cloud.is_dense
    assert cloud.header.frame_id == "ego_vehicle/rgb_front"
    stamp = cloud.header.stamp.sec * 10**9 + cloud.header.stamp.nanosec
    assert stamp % 50_000_000 == 0 and 0 < stamp <= scene.sent * 50_000_000
    float32, uint8 = PointField.FLOAT32, PointField.UINT8
    assert [(field.name, field.offset, field.datatype, field.count) for field in cloud.fields] == [
        ("x", 0, float32, 1),
        ("y", 4, float32, 1),
        ("z", 8, float32, 1),
        ("label", 12, uint8, 1),
        ("confidence", 13, uint8, 1),
        ("rgb", 14, float32, 1),
    ]
    found = points(cloud)
    # The middle of pixel 79 is 39.5 pixels right of the centre: 10 * 39.5 / 40.
    assert found["x"][:, -1] == pytest.approx(9.875)
    assert (found["z"] == 10.0).all() and (found["confidence"] == 200).all()
    assert (found["label"] == labels()).all()


def test_coded_depth_in_body_axes_as_carla_itself_sends_it(bench: RosBench):
    bench.start(NODE, camera_axes="body")
    scene = Scene(bench)
    scene.want_the_cloud()
    found = scene.until_points(len, coded=True)
    assert found["x"] == pytest.approx(10.0, abs=1e-4)
    assert found["y"][:, -1] == pytest.approx(-9.875, abs=1e-4)
    assert found["z"][-1] == pytest.approx(-10 * 29.5 / 40, abs=1e-4)


def test_nothing_is_listened_to_while_nobody_wants_the_cloud(bench: RosBench):
    bench.start(NODE)
    scene = Scene(bench)
    topics = [*scene.images.values(), scene.info, scene.depth_info, scene.legend]
    bench.until(lambda: bench.node.count_publishers(CLOUD))
    bench.until(lambda: scene.diagnostics.find("/semantic_cloud", "idle: nobody subscribes"))
    assert [topic.get_subscription_count() for topic in topics] == [0] * 6
    wish = scene.want_the_cloud()
    bench.until(lambda: all(topic.get_subscription_count() for topic in topics))
    scene.until(lambda: scene.clouds)
    bench.node.destroy_subscription(wish)
    bench.until(lambda: not any(topic.get_subscription_count() for topic in topics))
    scene.clouds.clear()
    scene.want_the_cloud()
    scene.until(lambda: scene.clouds)


def test_a_subscriber_that_takes_best_effort_gets_clouds_too(bench: RosBench):
    """As Nav2's layer does."""
    bench.start(NODE)
    scene = Scene(bench)
    clouds = bench.collect(PointCloud2, CLOUD, qos_profile_sensor_data)
    scene.until(lambda: clouds)


def test_what_is_missing_is_told_one_after_the_other(bench: RosBench):
    bench.start(NODE)
    scene = Scene(bench, legend=False, infos=False)
    bench.until(lambda: bench.node.count_publishers(CLOUD))
    scene.want_the_cloud()
    bench.until(lambda: scene.diagnostics.find("/semantic_cloud", "is segmentation_node active?"))
    scene.until_problem("no stamp in common", late=1)
    scene.until_problem("waiting for what the class ids mean, on")
    scene.legend.publish(String(data="{}"))
    scene.until_problem("the legend is unreadable")
    scene.legend.publish(String(data=LEGEND.to_json()))
    scene.until_problem(f"waiting for the geometry of the camera on {CAMERA}")
    assert not scene.clouds
    scene.infos = True
    scene.until(lambda: scene.clouds)


def test_a_depth_camera_that_sees_otherwise_is_refused_in_a_sentence(bench: RosBench):
    node = bench.start(NODE)
    scene = Scene(bench)
    scene.want_the_cloud()
    scene.until_problem("the depth image is 40x60, the labels are 80x60; give both", width=40)
    narrow = "sees with fx = 69.3, the camera with fx = 40.0 pixels; give both one size and field"
    scene.until_problem(narrow, info=camera_info(69.3))
    assert not scene.clouds
    assert int(scene.diagnostics.value("/semantic_cloud", "inputs skipped")) > 0
    scene.until(lambda: scene.clouds)
    assert "no semantic cloud (1 so far): the depth image is 40x60" in node.printed


def test_classes_stride_range_axes_and_fov_may_be_changed_while_it_runs(bench: RosBench):
    bench.start(NODE, classes=["Street"])
    scene = Scene(bench)
    scene.want_the_cloud()
    scene.until_problem("classes: the legend has no class 'Street'; it has None/Unlabeled")
    half = HEIGHT // 2
    assert set_parameter(bench, "classes", ["Roads"])
    found = scene.until_points(len)
    assert np.isnan(found["x"][:half]).all() and not np.isnan(found["x"][half:]).any()
    assert set_parameter(bench, "stride", 4)
    assert scene.until_points(lambda found: found.shape == (15, 20)).shape == (15, 20)
    # At 60 degrees f = 40 / tan(30 degrees) = 69.28: 10 * 36.5 / 69.28.
    assert set_parameter(bench, "camera_fov", 60.0)
    scene.until_points(lambda found: found["x"][-1, -1] == pytest.approx(5.268, abs=1e-3))
    assert set_parameter(bench, "camera_axes", "body")
    scene.until_points(lambda found: found["y"][-1, -1] == pytest.approx(-5.268, abs=1e-3))
    assert set_parameter(bench, "largest_range", 9.0)
    scene.until_points(lambda found: np.isnan(found["x"]).all())
    assert not set_parameter(bench, "stride", 0)
    assert not set_parameter(bench, "depth_topic", "/other/image")
