# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch` as a process of a test, where ROS's launch packages are installed."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix

_PATIENCE = 60.0


def missing() -> str:
    """What a machine lacks to run these tests, "" where they can."""
    if shutil.which("ros2") is None or find_spec("launch_ros") is None:
        return "needs ROS's launch packages (apt: ros-jazzy-ros2launch)"
    return "" if installed("carla_unet_ros") else "needs the package built by colcon and sourced"


def installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except (PackageNotFoundError, OSError):
        return False
    return True


def ament_package(prefix: Path, package: str) -> Path:
    """Makes the package known to ROS; returns its share folder."""
    index = prefix / "share/ament_index/resource_index/packages" / package
    index.parent.mkdir(parents=True, exist_ok=True)
    index.touch()
    share = prefix / "share" / package
    share.mkdir()
    return share


class Launch:
    """`ros2 launch carla_unet_ros <file> <arguments>`, in a process group as in a terminal."""

    def __init__(self, output: Path, file: str, *arguments: str) -> None:
        self._output = output
        with output.open("w") as stream:
            self._process = subprocess.Popen(
                ["ros2", "launch", "carla_unet_ros", file, *arguments],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def started(self, executable: str) -> list[int]:
        """Process ids under which it was started so far."""
        pattern = rf"\[{executable}-\d+\]: process started with pid \[(\d+)\]"
        return [int(pid) for pid in re.findall(pattern, self.printed)]

    def wait(self) -> int:
        """The exit status; every process it started must be gone with it."""
        status = self._process.wait(_PATIENCE)
        assert "Traceback" not in self.printed, self.printed
        assert not self._left(), (self._left(), self.printed)
        return status

    def control_c(self) -> int:
        os.killpg(self._process.pid, signal.SIGINT)
        return self.wait()

    def close(self) -> None:
        """Ends whatever is still there."""
        for pid in [self._process.pid, *self._left()]:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _left(self) -> list[int]:
        """Processes of its session, but for itself."""
        command = ["ps", "-o", "pid=,stat=", "-s", str(self._process.pid)]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        alive = [int(line.split()[0]) for line in lines if not line.split()[1].startswith("Z")]
        return [pid for pid in alive if pid != self._process.pid]


Start = Callable[..., Launch]
"""(file, *arguments) -> its Launch."""
