# SPDX-License-Identifier: Apache-2.0
"""The demo as a newcomer runs it: figures, a picture and a video, and a clean end in any case."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_unet_ros.labels import UNKNOWN_TAG, carla_label_set

# Rates of 0.0 are those of the first second, before there are two frames.
# Rates are of the last five seconds: by the seventh, the first frame is not among them, for which
# the engine compiles while the second already waits.
FIGURES = re.compile(
    r"^ *(?P<seconds>[7-9]|[1-9]\d+) s   (?P<rate>(?!0\.0 )[\d.]+) frames/s   "
    r"image age (?P<age>[\d.]+) ms   engine (?P<engine>[\d.]+) ms   "
    r"mean IoU (?P<iou>[\d.]+)   free space IoU (?P<free>[\d.]+)   OpenVINO"
)


class Demo:
    """`carla_unet_demo` in a domain and a folder of the test's own."""

    def __init__(self, domain: int, out: Path) -> None:
        self.out = out
        self._domain = domain
        self._process: subprocess.Popen[str] | None = None
        # Such as multiprocessing's tracker, which a test that had this domain before has started
        # in another worker.
        self._not_mine = set(self._in_domain())

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "carla_unet_ros.demo.demo", *map(str, arguments)]
        self._process = subprocess.Popen(
            [*command, "--domain", str(self._domain), "--out", str(self.out)],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self._process

    def wait(self) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        assert self._process is not None
        out, errors = self._process.communicate(timeout=120)
        return self._process.returncode, out, errors

    def wait_for(self, line: re.Pattern[str]) -> re.Match[str]:
        """The first line it prints that matches."""
        assert self._process is not None
        assert self._process.stdout is not None
        for printed in self._process.stdout:
            if found := line.search(printed):
                return found
        pytest.fail(f"the demo ended early: {self.wait()}")

    def press_ctrl_c(self) -> None:
        """As a terminal does it: the whole process group gets the signal."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    def processes(self) -> dict[int, str]:
        """Process id and command line of all that the demo started and that still runs."""
        return {pid: text for pid, text in self._in_domain().items() if pid not in self._not_mine}

    def _in_domain(self) -> dict[int, str]:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"ROS_DOMAIN_ID={self._domain}".encode() in variables:
                found[int(folder.name)] = command
        return found

    def left_behind(self) -> dict[int, str]:
        """What still runs some time after the end; multiprocessing's own tracker ends last."""
        latest = time.monotonic() + 10
        while (found := self.processes()) and time.monotonic() < latest:
            time.sleep(0.05)
        return found

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


@pytest.fixture
def demo(ros_domain: int, tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(ros_domain, tmp_path / "out")
    yield demo
    demo.close()


def test_the_demo_shows_figures_until_ctrl_c_and_leaves_a_picture_and_a_video(
    demo: Demo, tiny_model_path: Path
) -> None:
    demo.start("--model", tiny_model_path, "--engine", "openvino")
    demo.wait_for(re.compile(r"First label image \d+\.\d s after the nodes were started\."))
    figures = demo.wait_for(FIGURES)
    assert float(figures["rate"]) <= 20.5
    assert float(figures["engine"]) > 0
    assert 0 < float(figures["iou"]) < 1
    assert 0 <= float(figures["free"]) <= 1
    assert len(demo.processes()) == 6
    demo.press_ctrl_c()
    status, printed, errors = demo.wait()
    assert (status, errors) == (0, "")
    assert "Wrote " in printed
    check_picture(demo.out / "demo.png")
    video = cv2.VideoCapture(str(demo.out / "demo.mp4"))
    assert video.read()[0]
    assert video.get(cv2.CAP_PROP_FPS) == 10
    assert not demo.left_behind()


def test_the_demo_ends_by_itself_after_its_duration(demo: Demo, tiny_model_path: Path) -> None:
    demo.start("--duration", "1", "--model", tiny_model_path, "--engine", "openvino")
    status, printed, errors = demo.wait()
    assert (status, errors) == (0, "")
    assert "Wrote " in printed
    assert not demo.left_behind()


def test_a_node_that_dies_ends_the_demo_with_its_name(demo: Demo, tiny_model_path: Path) -> None:
    demo.start("--model", tiny_model_path, "--engine", "openvino")
    demo.wait_for(re.compile("First label image"))
    (node,) = (pid for pid, text in demo.processes().items() if "segmentation_node" in text)
    os.kill(node, signal.SIGKILL)
    status, _, errors = demo.wait()
    assert status == 1
    assert "segmentation_node ended with signal 9. It printed last:" in errors
    assert "Traceback" not in errors
    assert not demo.left_behind()


def test_an_engine_that_is_not_to_be_had_ends_the_demo_with_the_reason(
    demo: Demo, tiny_model_path: Path
) -> None:
    demo.start("--model", tiny_model_path, "--engine", "tensorrt", CUDA_VISIBLE_DEVICES="")
    status, _, errors = demo.wait()
    assert status == 1
    assert "engine tensorrt cannot run here" in errors
    assert "Traceback" not in errors
    assert not demo.left_behind()


def test_a_missing_model_ends_the_demo_with_a_sentence(demo: Demo, tmp_path: Path) -> None:
    demo.start("--model", tmp_path / "none.onnx")
    status, _, errors = demo.wait()
    assert status == 1
    assert re.fullmatch(r"carla_unet_demo: model \S+none.onnx cannot be read .*\n", errors)


@pytest.mark.parametrize(
    ("missing", "options", "sentence"),
    [
        ("rclpy", [], "ROS 2 cannot be imported .*pip install '.\\[ros\\]'"),
        ("rerun", ["--view"], "the page needs rerun-sdk .*pip install rerun-sdk"),
    ],
)
def test_the_demo_says_what_to_install(missing: str, options: list[str], sentence: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; "
        f"from carla_unet_ros.demo.demo import main; sys.exit(main({options}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(f"carla_unet_demo: {sentence}.*\n", done.stderr)


@pytest.mark.once
def test_with_view_the_demo_prints_the_address_of_a_page_and_ends_its_server(
    demo: Demo, tiny_model_path: Path
) -> None:
    pytest.importorskip("rerun", reason="the page needs rerun-sdk: pip install '.[view]'")
    demo.start("--view", "--model", tiny_model_path, "--engine", "openvino")
    address = demo.wait_for(re.compile(r"Look at it in a browser: (http://\S+)"))[1]
    with urllib.request.urlopen(address, timeout=60) as page:
        assert "<canvas" in page.read().decode()
    modules = "camera_node", "segmentation_node", "evaluation_node", "ground_grid_node"
    running = " ".join(demo.processes().values())
    assert all(f"{module} " in running for module in (*modules, "view_node", "--serve-web"))
    demo.press_ctrl_c()
    status, _, errors = demo.wait()
    assert (status, errors) == (0, "")
    assert not demo.left_behind()


@pytest.mark.once
def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.touch()
    command = [sys.executable, "-m", "carla_unet_ros.demo.demo", "--out", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"carla_unet_demo: {file} is a file; expected a folder to write to\n"


@pytest.mark.once
def test_the_shipped_model_knows_the_scenes_of_the_drive(demo: Demo) -> None:
    demo.start("--duration", "12")
    status, printed, errors = demo.wait()
    assert status == 0, errors
    assert float(re.findall(r"mean IoU ([\d.]+)", printed)[-1]) > 0.5
    assert float(re.findall(r"free space IoU ([\d.]+)", printed)[-1]) > 0.7
    check_picture(demo.out / "demo.png")


def check_picture(path: Path) -> None:
    """camera | segmentation | truth: three different images, the last in palette colours."""
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (600, 2400, 3)
    frame, overlay, truth = np.hsplit(np.asarray(picture, np.uint8)[:500], 3)
    assert np.any(frame != overlay)
    assert np.any(frame != truth)
    assert UNKNOWN_TAG not in carla_label_set("0.9.13").ids_of_colours(truth)
