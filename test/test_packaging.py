# SPDX-License-Identifier: Apache-2.0
"""The package builds, installs and imports in each way people do it, with all its files.

Everything is built from a copy, without the network: `--no-deps --no-build-isolation`.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from catkin_pkg.package import Package, parse_package
from ros_bench import Camera, Process, RosBench, pixels, scene
from sensor_msgs.msg import Image

import carla_unet_ros

NAME = "carla_unet_ros"
ROOT = Path(__file__).parents[1]
PACKED = (
    NAME,
    "training",
    "launch",
    "config",
    "resource",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)
PACKED += ("package.xml", "setup.py", "setup.cfg")

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())

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


def test_the_manifest_is_valid_and_names_every_ros_package_that_is_imported(
    manifest: Package,
) -> None:
    ros = re.compile(r"\w+_(msgs|srvs)|rclpy|cv_bridge|tf2_\w+|ament_\w+|launch|launch_ros")
    imported = {
        name
        for folder in (NAME, "training", "launch")
        for path in (ROOT / folder).glob("**/*.py")
        for name in top_level_imports(path)
        if ros.fullmatch(name)
    }
    assert "rclpy" in imported
    declared = {dependency.name for dependency in manifest.exec_depends}
    assert imported <= declared, f"package.xml lacks {imported - declared}"


def test_manifest_module_and_citation_have_one_version(manifest: Package, sources: Path) -> None:
    printed = setup_says("--version", sources)
    assert printed == manifest.version == carla_unet_ros.__version__ == CITATION["version"]


def test_manifest_and_citation_name_one_repository(manifest: Package, sources: Path) -> None:
    addresses = {url.type: url.url for url in manifest.urls}
    repository = setup_says("--url", sources)
    assert repository == addresses["repository"] == CITATION["repository-code"]
    assert addresses["bugtracker"] == f"{repository}/issues"
    assert addresses["website"].partition("#")[0] == repository == CITATION["url"]


def setup_says(option: str, sources: Path) -> str:
    """What setup.py prints for an option such as --version."""
    return run([sys.executable, "setup.py", option], sources).split()[-1]


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


def test_the_shipped_model_is_part_of_the_package() -> None:
    from carla_unet_ros.model_file import SHIPPED_MODEL

    assert SHIPPED_MODEL.is_file()
    files = sorted(SHIPPED_MODEL.parent.glob("*.onnx"))
    assert [file.name for file in files] == [
        "carla_unet.onnx",
        "carla_unet_fp16.onnx",
        "carla_unet_int8.onnx",
    ]
    assert sum(file.stat().st_size for file in files) <= 25e6
    assert list(SHIPPED_MODEL.parent.glob("*.md")), "the model has no card"


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


def test_the_vehicle_side_imports_without_torch() -> None:
    code = f"""
import importlib.util, pkgutil, sys
sys.modules["torch"] = None
import {NAME}
left_out = ["{NAME}.training"]
if importlib.util.find_spec("rerun") is None:  # of the extra [view]
    left_out += ["{NAME}.view.layout", "{NAME}.view.time_line"]
for module in pkgutil.walk_packages({NAME}.__path__, "{NAME}."):
    if not module.name.startswith(tuple(left_out)):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("{NAME}.")]))
"""
    assert int(run([sys.executable, "-c", code], ROOT)) > 8


@pytest.fixture(scope="module")
def manifest() -> Package:
    """package.xml; a warning of its parser is an error."""
    warnings: list[str] = []
    manifest = parse_package(str(ROOT / "package.xml"), warnings=warnings)
    manifest.validate(warnings=warnings)
    assert not warnings
    return manifest


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


def copy_of_the_sources(folder: Path) -> Path:
    source = folder / "src"
    source.mkdir()
    for name in PACKED:
        path = ROOT / name
        if path.is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / name, symlinks=True, ignore=skipped)
        elif path.is_file():
            shutil.copy(path, source / name)
    return source


def built_with_colcon(workspace: Path, install: str, *options: str) -> Installation:
    run([*COLCON, "build", "--install-base", install, *options], workspace)
    prefix = workspace / install / NAME
    (site,) = prefix.glob("lib/python3*/site-packages")
    module = (workspace / "build" / NAME if options else site) / NAME
    setup = workspace / install / "setup.bash"
    return Installation(
        workspace / "src", f". {setup}", Path(sys.executable), module, prefix / "share" / NAME
    )


def run(command: list[str], folder: Path) -> str:
    """Output of a command that must succeed; its errors are shown where it does not."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files_of(folder: Path) -> set[str]:
    """Paths below a folder, through links too; compiled files left out."""
    return {
        os.path.relpath(Path(parent) / name, folder)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.endswith(".pyc")
    }


def top_level_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
