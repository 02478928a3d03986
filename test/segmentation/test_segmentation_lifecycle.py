# SPDX-License-Identifier: Apache-2.0
"""The segmentation node as a lifecycle node: transitions, parameters, models that cannot be used,
and how it ends."""

import signal
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from ros_bench import Camera, Diagnostics, Process, RosBench, pixels, refusal, scene
from sensor_msgs.msg import Image

from carla_unet_ros.segmentation.segmentation_node import Parameters, SegmentationNode

CAMERA = "/carla/ego_vehicle/rgb_front"
LABELS = f"{CAMERA}/segmentation/labels"
CONFIG = Path(__file__).parents[2] / "config" / "segmentation.yaml"


def state(bench: RosBench) -> str:
    answer = bench.call(GetState, "/segmentation/get_state", GetState.Request())
    return answer.current_state.label


def change(bench: RosBench, transition: int) -> bool:
    before = state(bench)
    request = ChangeState.Request(transition=Transition(id=transition))
    answer = bench.call_once(ChangeState, "/segmentation/change_state", request)
    return answer.success if answer else state(bench) != before


def set_parameter(bench: RosBench, name: str, value: object) -> str:
    """Sets a parameter; gives the reason of a refusal, "" where it was set."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    result = bench.call(SetParameters, "/segmentation/set_parameters", request).results[0]
    assert result.successful is not bool(result.reason)
    return result.reason


def wait_active(bench: RosBench) -> None:
    bench.until(lambda: "ready; 1 camera" in bench.processes[-1].printed)


def test_transitions_do_what_they_say(bench: RosBench, tiny_model_path: Path) -> None:
    labels = bench.collect(Image, LABELS)
    bench.start(
        "segmentation.segmentation_node", model=tiny_model_path, engine="openvino", autostart=False
    )
    camera = Camera(bench, f"{CAMERA}/image")
    assert state(bench) == "unconfigured"
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    assert state(bench) == "inactive"
    bench.until(lambda: bench.node.count_publishers(LABELS) == 1)
    bench.spin(0.3)
    assert not camera.listened_to  # inactive: nothing is read, though somebody subscribes

    frame, ids = scene()
    for _ in range(2):
        assert change(bench, Transition.TRANSITION_ACTIVATE)
        bench.until(lambda: camera.listened_to)
        header = camera.send(frame)
        bench.until(lambda header=header: labels and labels[-1].header == header)
        np.testing.assert_array_equal(pixels(labels[-1]), ids)
        assert change(bench, Transition.TRANSITION_DEACTIVATE)
        bench.until(lambda: not camera.listened_to)

    assert change(bench, Transition.TRANSITION_CLEANUP)
    bench.until(lambda: bench.node.count_publishers(LABELS) == 0)
    assert state(bench) == "unconfigured"
    assert change(bench, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert state(bench) == "finalized"


def test_a_transition_that_is_not_possible_is_refused_and_harmless(
    bench: RosBench, tiny_model_path: Path
) -> None:
    bench.start(
        "segmentation.segmentation_node", model=tiny_model_path, engine="openvino", autostart=False
    )
    assert not change(bench, Transition.TRANSITION_ACTIVATE)
    assert state(bench) == "unconfigured"
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    assert not change(bench, Transition.TRANSITION_CONFIGURE)
    assert state(bench) == "inactive"


def test_it_starts_itself(bench: RosBench, tiny_model_path: Path) -> None:
    bench.start("segmentation.segmentation_node", model=tiny_model_path, engine="openvino")
    bench.until(lambda: state(bench) == "active")


def missing(folder: Path, model: Path) -> Path:
    del model
    return folder / "nowhere.onnx"


def truncated(folder: Path, model: Path) -> Path:
    path = folder / "truncated.onnx"
    path.write_bytes(model.read_bytes()[:300])
    return path


def foreign(folder: Path, model: Path) -> Path:
    """A valid ONNX file of another contract."""
    proto = onnx.load(model)
    proto.graph.input[0].name = "image"
    for node in proto.graph.node:
        node.input[:] = ["image" if name == "frame" else name for name in node.input]
    onnx.save(proto, folder / "foreign.onnx")
    return folder / "foreign.onnx"


def without_metadata(folder: Path, model: Path) -> Path:
    proto = onnx.load(model)
    del proto.metadata_props[:]
    onnx.save(proto, folder / "nameless.onnx")
    return folder / "nameless.onnx"


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (missing, "cannot be read (No such file or directory); set `model` to"),
        (truncated, "is truncated or is no ONNX file"),
        (
            foreign,
            "has the inputs and outputs confidence, image, labels; expected",
        ),
        (without_metadata, "has no metadata"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_cannot_be_used_is_refused_at_the_start(
    tiny_model_path: Path, tmp_path: Path, make, sentence: str
) -> None:
    assert sentence in refusal(SegmentationNode, model=make(tmp_path, tiny_model_path))


def test_what_cannot_run_here_is_refused_when_it_is_set(
    bench: RosBench, tiny_model_path: Path, tmp_path: Path
) -> None:
    bench.start(
        "segmentation.segmentation_node", model=tiny_model_path, engine="openvino", autostart=False
    )
    for make in (missing, without_metadata):
        wrong = str(make(tmp_path, tiny_model_path))
        assert f"model {wrong}" in set_parameter(bench, "model", wrong)
    assert "engine openvino does not run on cuda:0" in set_parameter(bench, "device", "cuda:0")
    assert "device 'cuda' is unknown" in set_parameter(bench, "device", "cuda")
    assert "largest_frame allows 9" in set_parameter(bench, "frame_size", "5000x5000")
    assert set_parameter(bench, "device", "cpu") == ""
    assert set_parameter(bench, "threads", 1) == ""
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    diagnostics = Diagnostics(bench)
    bench.until(lambda: diagnostics.value("/segmentation", "device") == "CPU (at most 1 threads)")
    assert diagnostics.value("/segmentation", "precision") in ("bf16", "f32")


def test_a_model_that_went_away_is_an_error_until_it_is_back(
    bench: RosBench, tiny_model_path: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(tiny_model_path.read_bytes())
    diagnostics = Diagnostics(bench)
    bench.start("segmentation.segmentation_node", model=model, engine="openvino", autostart=False)
    assert state(bench) == "unconfigured"
    model.unlink()
    assert not change(bench, Transition.TRANSITION_CONFIGURE)
    found = bench.until(lambda: diagnostics.find("/segmentation", "cannot be configured: model"))
    assert found.level == DiagnosticStatus.ERROR
    assert state(bench) == "unconfigured"
    model.write_bytes(tiny_model_path.read_bytes())
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    found = bench.until(lambda: diagnostics.find("/segmentation", "inactive: "))
    assert found.level == DiagnosticStatus.OK


NODE_WITH_A_MISTAKE = """
import sys
from carla_unet_ros.segmentation import segmentation_node

def segmenter(**_):
    raise ZeroDivisionError("by nil")

segmentation_node.Segmenter = segmenter
sys.exit(segmentation_node.main([]))
"""


def test_an_unexpected_error_while_it_is_configured_is_told(
    bench: RosBench, tmp_path: Path
) -> None:
    diagnostics = Diagnostics(bench)
    process = Process([sys.executable, "-c", NODE_WITH_A_MISTAKE], tmp_path / "node.txt")
    sentence = "unexpected error on the way from unconfigured: ZeroDivisionError('by nil')"
    found = bench.until(lambda: diagnostics.find("/segmentation", sentence))
    assert found.level == DiagnosticStatus.ERROR
    assert state(bench) == "unconfigured"
    assert "in segmenter" in process.printed
    assert process.interrupt() == 0


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", range(3))
def test_it_ends_cleanly_at_every_moment(
    bench: RosBench, tiny_model_path: Path, number: int, moment: int
) -> None:
    """While it starts, while it waits, and while it works; the signal comes twice."""
    labels = bench.collect(Image, LABELS)
    process = bench.start(
        "segmentation.segmentation_node", model=tiny_model_path, engine="openvino"
    )
    if moment == 0:
        bench.until(lambda: bench.node.count_publishers("/diagnostics"))
    if moment >= 1:
        wait_active(bench)
    if moment == 2:
        camera = Camera(bench, f"{CAMERA}/image")
        bench.until(lambda: camera.listened_to)
        frame, _ = scene(480, 640)
        bench.until(lambda: camera.send(frame) and labels)
        camera.send(frame)
    process.popen.send_signal(number)
    assert process.interrupt(number) == 0
    assert "Traceback" not in process.printed


def test_help_teaches(bench: RosBench) -> None:
    process = bench.start("segmentation.segmentation_node", "--", "--help")
    assert process.popen.wait(30) == 0
    assert "/diagnostics reports" in process.printed
    assert all(
        f"  {parameter.name} (default: " in process.printed for parameter in Parameters.rows()
    )
