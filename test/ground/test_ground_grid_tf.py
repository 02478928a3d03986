# SPDX-License-Identifier: Apache-2.0
"""ground_grid_node with the camera's pose from TF, and from parameters where TF has none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, TransformStamped
from ground_scene import Scene, camera_info, curb, curb_metres, near, set_parameter
from ros_bench import RosBench
from rosgraph_msgs.msg import Clock

from carla_unet_ros.labels import IGNORE

# A tf2_ros of the same names, fed by a topic of one transform instead of by tf2_msgs, which the
# pip wheels of ROS 2 lack.
TF2_ROS = """
from geometry_msgs.msg import TransformStamped

class TransformException(Exception):
    pass

class Buffer:
    def __init__(self):
        self.known = {}

    def clear(self):
        self.known = {}

    def take(self, found):
        # As tf2: what is older than what it has is refused.
        key = found.header.frame_id, found.child_frame_id
        stamp = (found.header.stamp.sec, found.header.stamp.nanosec)
        known = self.known.get(key)
        if known and stamp < (known.header.stamp.sec, known.header.stamp.nanosec):
            print("TF_OLD_DATA", flush=True)
        else:
            self.known[key] = found

    def lookup_transform(self, target_frame, source_frame, time):
        if (target_frame, source_frame) not in self.known:
            raise TransformException(f'"{source_frame}" does not exist')
        return self.known[target_frame, source_frame]

class TransformListener:
    def __init__(self, buffer, node):
        self.node = node
        self.subscription = node.create_subscription(
            TransformStamped, "/one_tf", buffer.take, 10
        )

    def unregister(self):
        self.node.destroy_subscription(self.subscription)
"""


@pytest.fixture
def fake_tf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tf2_ros.py").write_text(TF2_ROS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=":")


def mounted(height: float, seconds: int = 0) -> TransformStamped:
    """The bridge's transform of a level camera: optical axes, x = 2 m."""
    transform = TransformStamped(child_frame_id="ego_vehicle/rgb_front")
    transform.header.frame_id = "ego_vehicle"
    transform.header.stamp.sec = seconds
    place, turn = transform.transform.translation, transform.transform.rotation
    place.x, place.z = 2.0, height
    turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
    return transform


@pytest.mark.usefixtures("fake_tf")
def test_the_pose_comes_from_tf_as_soon_as_tf_knows_it(bench: RosBench):
    node = bench.start("ground.ground_grid_node", camera_height=1.0)
    scene = Scene(bench)
    scene.want_the_grid()
    # Half as high, half as far from the camera: 2 + 400 * 1 / 80.
    scene.until_curb_at(7.0, curb(), camera_info())
    assert "pose comes from parameters: TF has no ego_vehicle/rgb_front" in node.printed
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    bench.until(tf.get_subscription_count)
    tf.publish(mounted(2.0))
    scene.until_curb_at(12.0, curb(), camera_info())
    assert "pose comes from TF: ego_vehicle/rgb_front in ego_vehicle, optical" in node.printed
    tf.publish(mounted(3.0))
    scene.until_curb_at(17.0, curb(), camera_info())


@pytest.mark.usefixtures("fake_tf")
def test_where_only_tf_will_do_its_shortcomings_are_told(bench: RosBench):
    bench.start("ground.ground_grid_node", pose_source="tf", camera_axes="body")
    scene = Scene(bench)
    scene.want_the_grid()
    scene.until_problem("TF has no ego_vehicle/rgb_front in ego_vehicle", curb(), camera_info())
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    bench.until(tf.get_subscription_count)
    tf.publish(mounted(2.0))
    scene.until_problem("lies on its side: set camera_axes", curb(), camera_info())
    assert set_parameter(bench, "camera_axes", "optical").successful
    scene.until_curb_at(12.0, curb(), camera_info())


@pytest.mark.usefixtures("fake_tf")
def test_body_axes_that_are_taken_for_optical_ones_are_told(bench: RosBench):
    bench.start("ground.ground_grid_node")
    scene = Scene(bench)
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    body = mounted(2.0)
    body.transform.rotation = Quaternion(w=1.0)
    scene.want_the_grid()
    bench.until(tf.get_subscription_count)
    told = "looks up into the sky: set camera_axes to body"

    def attempt() -> bool:
        tf.publish(body)
        return scene.has_problem(told) is not None

    scene.until(attempt, curb(), camera_info())
    assert set_parameter(bench, "camera_axes", "body").successful
    scene.until_curb_at(12.0, curb(), camera_info())


@pytest.mark.usefixtures("fake_tf")
def test_no_grid_is_made_from_the_guess_while_tf_may_still_come(bench: RosBench):
    """The parameters say 1 m, TF says 2 m: there is no grid with the curb at 7 m."""
    bench.start("ground.ground_grid_node", camera_height=1.0)
    scene = Scene(bench)
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    scene.want_the_grid()
    bench.until(tf.get_subscription_count)
    for _ in range(3):  # labels before any transform
        scene.send(curb(), camera_info())
    tf.publish(mounted(2.0))
    scene.until_curb_at(12.0, curb(), camera_info())
    assert {round(curb_metres(grid)) for grid in scene.grids} == {12}


@pytest.mark.usefixtures("fake_tf")
@pytest.mark.parametrize("seen_by", ["clock", "stamps"])
def test_when_time_starts_again_a_moved_camera_is_taken_over_at_once(
    bench: RosBench, seen_by: str
):
    node = bench.start("ground.ground_grid_node", use_sim_time=seen_by == "clock")
    scene = Scene(bench)
    clock = bench.node.create_publisher(Clock, "/clock", 10)
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 1)
    scene.want_the_grid()
    bench.until(tf.get_subscription_count)

    def tick(seconds: int, height: float) -> Callable[[], bool]:
        def at() -> bool:
            clock.publish(Clock(clock=Time(sec=seconds)))
            tf.publish(mounted(height, seconds))
            metres = 2 + 5 * height
            return bool(scene.grids) and curb_metres(scene.grids[-1]) == near(metres)

        return at

    scene.sent = 3600 * 20
    scene.until(tick(3600, 2.0), curb(), camera_info())
    scene.sent = 10 * 20
    scene.until(tick(10, 3.0), curb(), camera_info())
    assert f"time starts again (seen by the {seen_by})" in node.printed


@pytest.mark.usefixtures("fake_tf")
def test_the_vehicle_moves_as_tf_says(bench: RosBench):
    bench.start("ground.ground_grid_node", fixed_frame="odom", behind=10.0)
    scene = Scene(bench)
    tf = bench.node.create_publisher(TransformStamped, "/one_tf", 10)
    scene.want_the_grid()
    bench.until(tf.get_subscription_count)

    def driven(x: float) -> Callable[[], bool]:
        """Whether the grid has the curb where it is, 12 m ahead or as far behind as driven."""

        def at() -> bool:
            tf.publish(mounted(2.0))
            moved = TransformStamped(child_frame_id="ego_vehicle")
            moved.header.frame_id = "odom"
            seconds, nanoseconds = divmod((scene.sent + 1) * 50_000_000, 10**9)
            moved.header.stamp = Time(sec=seconds, nanosec=nanoseconds)
            moved.transform.translation.x = x
            moved.transform.rotation.w = 1.0
            tf.publish(moved)
            costs = 60 in scene.grids[-1].data if scene.grids else False
            return costs and curb_metres(scene.grids[-1], 60) == near(12.0 - x)

        return at

    scene.until(driven(0.0), curb(), camera_info())
    nothing = np.full((600, 800), IGNORE, np.uint8)
    scene.until(driven(1.0), nothing, camera_info())
    bench.until(lambda: scene.value("memory") == "3 s, motion from TF from odom")
