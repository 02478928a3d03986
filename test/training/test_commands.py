# SPDX-License-Identifier: Apache-2.0
"""The commands of training: what is missing is told with what to install, by every one of them."""

import importlib.metadata
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from carla_unet_ros.training import commands

COMMANDS = ("train", "evaluate", "export", "quantize", "from_bag", "label", "record")


def run(command: str, missing: str) -> subprocess.CompletedProcess[str]:
    """A command's --help in a process that cannot import these packages."""
    code = f"""
import sys

class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {missing.split(",")!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["carla_unet_{command}", "--help"]
from carla_unet_ros.training import commands
sys.exit(commands.{command}())
"""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", ["train", "export"])
def test_without_torch_a_command_says_what_to_install(command: str) -> None:
    done = run(command, "torch")
    assert done.returncode == 1
    assert done.stderr == (
        f"carla_unet_{command} needs torch, which is not installed: "
        "pip install 'carla_unet_ros[training]'\n"
    )


def test_evaluation_and_recording_need_no_torch() -> None:
    for command in ("evaluate", "record"):
        done = run(command, "torch,kornia,lightning_fabric,carla")
        assert done.returncode == 0, done.stderr
        assert f"usage: carla_unet_{command}" in done.stdout


def test_every_command_is_installed() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts")
    installed = {script.name: script.value for script in scripts}
    for command in COMMANDS:
        assert installed[f"carla_unet_{command}"].endswith(f"commands:{command}")


@pytest.mark.parametrize(("set_before", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_training_tells_openmp_to_wait_asleep_before_torch_reads_it(
    set_before: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def imported(_: str) -> SimpleNamespace:
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
        return SimpleNamespace(main=lambda: 0)

    monkeypatch.setenv("OMP_WAIT_POLICY", set_before or "")
    if set_before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(commands, "import_module", imported)
    assert commands.train() == 0
    assert seen == [found]
