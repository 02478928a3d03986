# SPDX-License-Identifier: Apache-2.0
"""The package builds and installs in each way people do it, with all its files.

Everything is built from a copy, without the network: `--no-deps --no-build-isolation`.
"""

import ast
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from packed_sources import NAME, copy_of_the_sources, run
from ros_bench import Camera, Process, RosBench, pixels, scene
from sensor_msgs.msg import Image

COLCON = [sys.executable, "-m", "colcon", "--log-base", "log"]


PIP_INSTALL = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--no-build-isolation",
    "--no-index",
]


WHERE_AND_WHAT = """
import json, os
import carla_unet_ros, carla_unet_ros.engines, carla_unet_ros.training
from carla_unet_ros.segmenter import Segmenter
root = os.path.dirname(carla_unet_ros.__file__)
walk = os.walk(root, followlinks=True)
files = [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in walk
         for name in names]
print(json.dumps([root, files]))
"""


@dataclass(frozen=True)
class Installation:
    """One way in which the package came onto a machine.

    source: what it was installed from
    shell:  what a user types before any command of the package
    python: the Python it was installed for
    module: the folder the package must be imported from
    share:  where launch files and configuration must lie; None where that way installs none
    """

    source: Path
    shell: str
    python: Path
    module: Path
    share: Path | None

    def command(self, command: str) -> list[str]:
        return ["bash", "-ec", f"{self.shell}; exec {command}"]


def test_colcon_takes_it_for_a_ros_package(sources: Path) -> None:
    assert run([*COLCON, "list"], sources.parent) == f"{NAME}\tsrc\t(ros.ament_python)\n"


@pytest.mark.parametrize("way", ["pip", "pip_editable", "colcon", "colcon_symlink"])
def test_an_installation_is_complete(way: str, request: pytest.FixtureRequest) -> None:
    installation: Installation = request.getfixturevalue(way)
    command = installation.command(f"{installation.python} -c '{WHERE_AND_WHAT}'")
    root, files = json.loads(run(command, installation.module.parent))
    assert Path(root) == installation.module
    missing = files_of(installation.source / NAME) - set(files)
    assert not missing, f"{way} leaves out {missing}"
    if installation.share:
        for folder in ("launch", "config"):
            missing = files_of(installation.source / folder) - files_of(
                installation.share / folder
            )
            assert not missing, f"{way} leaves out {missing} of {folder}/"
        assert (installation.share / "package.xml").is_file()
        index = installation.share.parent / "ament_index/resource_index/packages"
        assert (index / NAME).is_file()


@pytest.mark.parametrize("way", ["colcon", "colcon_symlink"])
def test_the_node_that_colcon_installed_segments_a_frame(
    way: str,
    request: pytest.FixtureRequest,
    bench: RosBench,
    tiny_model_path: Path,
    tmp_path: Path,
) -> None:
    installation: Installation = request.getfixturevalue(way)
    assert installation.share is not None
    executable = installation.share.parents[1] / "lib" / NAME / "segmentation_node"
    command = f"{executable} --ros-args -p model:={tiny_model_path} -p engine:=openvino"
    bench.processes.append(Process(installation.command(command), tmp_path / "node.txt"))
    labels = bench.collect(Image, "/carla/ego_vehicle/rgb_front/segmentation/labels")
    camera = Camera(bench, "/carla/ego_vehicle/rgb_front/image")
    bench.until(lambda: camera.listened_to)
    frame, ids = scene()
    header = camera.send(frame)
    bench.until(lambda: labels)
    assert labels[0].header == header
    np.testing.assert_array_equal(pixels(labels[0]), ids)


def test_every_command_leads_to_a_function(colcon: Installation) -> None:
    entries = next(colcon.module.parent.glob("*.egg-info")) / "entry_points.txt"
    commands = re.findall(r"^(\S+) = (\S+):(\w+)$", entries.read_text(), re.MULTILINE)
    assert len(commands) == 19
    for command, module, function in commands:
        path = colcon.module.parent.joinpath(*module.split(".")).with_suffix(".py")
        assert path.is_file(), f"{command} starts {module}, which is not there"
        assert function in names_in(path), f"{command} starts {module}, which has no {function}"
        assert os.access(colcon.module.parents[2] / NAME / command, os.X_OK)


def names_in(path: Path) -> set[str]:
    """Functions of a file, and what is assigned a name in it."""
    names = set[str]()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_sources(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def colcon(sources: Path) -> Installation:
    return built_with_colcon(sources.parent, "install")


@pytest.fixture(scope="module")
def colcon_symlink(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    workspace = tmp_path_factory.mktemp("symlink_workspace")
    copy_of_the_sources(workspace)
    return built_with_colcon(workspace, "install", "--symlink-install")


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    target = tmp_path_factory.mktemp("target")
    source = copy_of_the_sources(tmp_path_factory.mktemp("pip"))
    run([sys.executable, *PIP_INSTALL, "--target", str(target), str(source)], source)
    shell = f"export PYTHONPATH={target}"
    return Installation(
        source, shell, Path(sys.executable), target / NAME, target / "share" / NAME
    )


@pytest.fixture(scope="module")
def pip_editable(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """In a virtual environment of its own, which borrows what is installed in this one."""
    source = copy_of_the_sources(tmp_path_factory.mktemp("editable"))
    environment = source.parent / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)], source)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python3*/site-packages")
    borrowed = Path(pytest.__file__).parents[1]
    (site / "zz_borrowed.pth").write_text(f"{borrowed}\n")
    run([str(python), *PIP_INSTALL, "--editable", str(source)], source)
    return Installation(source, "cd /", python, source / NAME, None)


def built_with_colcon(workspace: Path, install: str, *options: str) -> Installation:
    run([*COLCON, "build", "--install-base", install, *options], workspace)
    prefix = workspace / install / NAME
    (site,) = prefix.glob("lib/python3*/site-packages")
    module = (workspace / "build" / NAME if options else site) / NAME
    setup = workspace / install / "setup.bash"
    return Installation(
        workspace / "src", f". {setup}", Path(sys.executable), module, prefix / "share" / NAME
    )


def files_of(folder: Path) -> set[str]:
    """Paths below a folder, through links too; compiled files left out."""
    return {
        os.path.relpath(Path(parent) / name, folder)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.endswith(".pyc")
    }
