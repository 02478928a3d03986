# SPDX-License-Identifier: Apache-2.0
"""What the package says of itself in all its files, what belongs to it, and that it imports."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml
from catkin_pkg.package import Package, parse_package
from packed_sources import NAME, ROOT, copy_of_the_sources, run

import carla_unet_ros

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


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


def top_level_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
