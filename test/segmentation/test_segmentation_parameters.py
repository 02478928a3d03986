# SPDX-License-Identifier: Apache-2.0
"""The parameters of the segmentation node: which are refused, changed, described and listed."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from node_services import set_parameter, state, wait_active
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters
from ros_bench import Camera, RosBench, pixels, refusal
from sensor_msgs.msg import Image

from carla_unet_ros.segmentation.segmentation_node import Parameters, SegmentationNode

CAMERA = "/carla/ego_vehicle/rgb_front"


CONFIG = Path(__file__).parents[2] / "config" / "segmentation.yaml"


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("engine", "cuda", "engine is 'cuda'; expected one of auto, tensorrt, openvino"),
        ("device", "gpu:0", "device 'gpu:0' is unknown; expected one of auto, cuda:N, cpu"),
        ("threads", -1, "threads"),
        ("frame_size", "800", "'800' is no size; expected WIDTHxHEIGHT"),
        ("frame_size", "5000x5000", "25 million pixels; largest_frame allows 9"),
        ("qos_overrides./a.publisher.reliability", "safe", "is 'safe'; expected one of"),
        ("qos_overrides./a.subscription.history", "all", "keep_last, keep_all"),
        ("qos_overrides./a.publisher.depth", "ten", "'ten'; expected a number of messages"),
        ("reliability", "safe", "reliability is 'safe'; expected one of reliable, best_effort"),
        ("overlay_opacity", 1.5, "overlay_opacity"),
        ("overlay_opacity", "half", "overlay_opacity"),
        ("output_tags", "7.1", "no tag table for CARLA '7.1'; known: 0.8.x"),
        ("image_topics", [""], "'' is no topic name"),
        ("image_topics", [], "image_topics is empty; expected a value such as ['/carla/"),
        ("image_topics", ["/a/left", "/a/right"], "would both be published as /a/segmentation"),
        ("image_topics", [f"/c{place}/image" for place in range(9)], "expected 1 to 8"),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(
    name: str, value: object, sentence: str
) -> None:
    assert sentence in refusal(SegmentationNode, **{name: value})


def test_parameters_are_changed_where_they_can_be(bench: RosBench, tiny_model_path: Path) -> None:
    overlays = bench.collect(Image, f"{CAMERA}/segmentation/overlay")
    bench.start(
        "segmentation.segmentation_node",
        model=tiny_model_path,
        engine="openvino",
        overlay_opacity=1.0,
    )
    wait_active(bench)
    camera = Camera(bench, f"{CAMERA}/image")
    bench.until(lambda: camera.listened_to)
    # Black is no class's colour but that of class 0, (0, 0, 0); a shade of it is drawn black.
    shade = np.full((4, 4, 4), 10, np.uint8)
    camera.send(shade)
    bench.until(lambda: overlays)
    assert (pixels(overlays[-1]) == 0).all()
    assert set_parameter(bench, "overlay_opacity", 0.0) == ""
    header = camera.send(shade)
    bench.until(lambda: overlays[-1].header == header)
    assert (pixels(overlays[-1]) == 10).all()

    assert "overlay_opacity" in set_parameter(bench, "overlay_opacity", -0.1)
    assert "expected one of" in set_parameter(bench, "engine", "cuda")
    assert "then cleanup" in set_parameter(bench, "engine", "auto")
    assert "read-only" in set_parameter(bench, "autostart", False)
    assert state(bench) == "active"


def test_cameras_that_meet_only_in_the_namespace_are_refused(
    bench: RosBench, tiny_model_path: Path
) -> None:
    process = bench.start(
        "segmentation.segmentation_node",
        *("-r", "__ns:=/car"),
        model=tiny_model_path,
        engine="openvino",
        image_topics=["front/image", "/car/front/image_raw"],
    )
    bench.until(lambda: "would both be published as /car/front/segmentation" in process.printed)


def test_every_parameter_is_described(bench: RosBench, tiny_model_path: Path) -> None:
    bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    names = [parameter.name for parameter in Parameters.rows()]
    request = DescribeParameters.Request(names=names)
    answer = bench.call(DescribeParameters, "/segmentation/describe_parameters", request)
    found = {descriptor.name: descriptor for descriptor in answer.descriptors}
    assert all(descriptor.description for descriptor in found.values())
    assert found["overlay_opacity"].floating_point_range[0].to_value == 1.0
    assert found["image_topics"].type == ParameterType.PARAMETER_STRING_ARRAY
    assert found["reliability"].additional_constraints == "one of: reliable, best_effort"
    assert found["autostart"].read_only


def test_the_configuration_file_lists_every_parameter_with_its_default() -> None:
    listed = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    assert listed.pop("use_sim_time") is True
    assert listed == {parameter.name: parameter.default for parameter in Parameters.rows()}


def test_the_configuration_file_is_accepted(bench: RosBench, tiny_model_path: Path) -> None:
    bench.start(
        "segmentation.segmentation_node",
        "--params-file",
        str(CONFIG),
        model=tiny_model_path,
        engine="openvino",
    )
    wait_active(bench)


def test_help_teaches(bench: RosBench) -> None:
    process = bench.start("segmentation.segmentation_node", "--", "--help")
    assert process.popen.wait(30) == 0
    assert "/diagnostics reports" in process.printed
    assert all(
        f"  {parameter.name} (default: " in process.printed for parameter in Parameters.rows()
    )
