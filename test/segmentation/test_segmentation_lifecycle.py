# SPDX-License-Identifier: Apache-2.0
"""The segmentation node as a lifecycle node: transitions, models that cannot be used, its end."""

import signal
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from node_services import change, set_parameter, state, wait_active
from ros_bench import Camera, Diagnostics, Process, RosBench, pixels, refusal, scene
from sensor_msgs.msg import Image

from carla_unet_ros.segmentation.segmentation_node import SegmentationNode

CAMERA = "/carla/ego_vehicle/rgb_front"
LABELS = f"{CAMERA}/segmentation/labels"


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
