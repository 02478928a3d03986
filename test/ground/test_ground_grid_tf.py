# SPDX-License-Identifier: Apache-2.0
"""ground_grid_node with the camera's pose from TF, and from parameters where TF has none."""

from pathlib import Path

import pytest
from geometry_msgs.msg import TransformStamped
from ground_scene import Scene, camera_info, curb, set_parameter
from ros_bench import RosBench

# A tf2_ros of the same names, fed by a topic of one transform instead of by tf2_msgs, which the
# pip wheels of ROS 2 lack.
TF2_ROS = """
from geometry_msgs.msg import TransformStamped

class TransformException(Exception):
    pass

class Buffer:
    transform = None

    def lookup_transform(self, target_frame, source_frame, time):
        known = self.transform
        if known is None or (known.header.frame_id, known.child_frame_id) != (
            target_frame, source_frame
        ):
            raise TransformException(f'"{source_frame}" does not exist')
        return known

class TransformListener:
    def __init__(self, buffer, node):
        self.node = node
        self.subscription = node.create_subscription(
            TransformStamped, "/one_tf", lambda found: setattr(buffer, "transform", found), 1
        )

    def unregister(self):
        self.node.destroy_subscription(self.subscription)
"""


@pytest.fixture
def fake_tf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tf2_ros.py").write_text(TF2_ROS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"), prepend=":")


def mounted(height: float, frame: str = "ego_vehicle/rgb_front") -> TransformStamped:
    """The bridge's transform of a level camera: optical axes, x = 2 m."""
    transform = TransformStamped(child_frame_id=frame)
    transform.header.frame_id = "ego_vehicle"
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
