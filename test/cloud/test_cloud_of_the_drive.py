# SPDX-License-Identifier: Apache-2.0
"""The cloud of the drawn drive: camera, segmentation and cloud as three processes over DDS."""

from pathlib import Path

import numpy as np
import pytest
from ros_bench import RosBench, start_segmentation
from sensor_msgs.msg import PointCloud2

from carla_unet_ros.cloud.semantic_cloud import POINT
from carla_unet_ros.labels import carla_13
from carla_unet_ros.stand_in.drive import Drive

pytestmark = pytest.mark.once

WIDTH, HEIGHT, SEED = 160, 120, 4
CLOUD = "/carla/ego_vehicle/rgb_front/segmentation/semantic_cloud"


@pytest.mark.parametrize("depth", ["metres", "coded"])
def test_the_road_lies_as_far_below_the_camera_as_it_is_high(
    bench: RosBench, tiny_model_path: Path, depth: str
):
    clouds = bench.collect(PointCloud2, CLOUD)
    size = {"width": WIDTH, "height": HEIGHT}
    bench.start("stand_in.camera_node", seed=SEED, depth=depth, rate=5.0, **size)
    start_segmentation(bench, tiny_model_path)
    bench.start("cloud.semantic_cloud_node", largest_range=30.0)
    cloud = bench.until(lambda: clouds)[0]
    assert (cloud.width, cloud.height) == (WIDTH, HEIGHT)
    points = np.frombuffer(cloud.data, POINT).reshape(HEIGHT, WIDTH)
    drive = Drive(**size, seed=SEED)
    scene = drive.at(cloud.header.stamp.sec + cloud.header.stamp.nanosec / 1e9)
    road = (scene.labels == carla_13().ids(["Roads"])[0]) & ~np.isnan(points["z"])
    assert road.sum() > 1000
    error = np.abs(points["y"][road] - drive.camera_height)
    assert np.quantile(error, 0.999) < 0.01  # a pixel at the edge of a thing may be the thing's
    sky = scene.labels == carla_13().ids(["None/Unlabeled"])[0]
    assert np.isnan(points["z"][: HEIGHT // 4][sky[: HEIGHT // 4]]).all()
