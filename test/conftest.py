# SPDX-License-Identifier: Apache-2.0
"""Fixtures several tests need: a model that needs no training, and a ROS domain of one's own."""

import fcntl
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ros2_launch import Start
    from ros_bench import RosBench


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that gives each pixel the class of the nearest palette colour."""
    import tiny_model

    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def small_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with a small convolutional net of random weights."""
    import small_net

    return small_net.write(tmp_path_factory.mktemp("small_net") / "small.onnx")


@pytest.fixture(scope="session")
def small_engine(small_model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The engine TensorRT really builds of it, for a GPU that is made up."""
    from small_engine import target_for

    from carla_unet_ros.engines.tensorrt_engine.build import built_engine
    from carla_unet_ros.engines.tensorrt_engine.engine_cache import EngineCache

    cache = EngineCache(tmp_path_factory.mktemp("engines"), print)
    return built_engine(target_for(small_model_path), cache, print)


@pytest.fixture
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of options are set in boxes as wide as the terminal: here each stays on its line."""
    monkeypatch.setenv("COLUMNS", "500")


def pytest_configure() -> None:
    """What every test, and every process it starts, takes over from this one."""
    # Nets of tests are so small that torch's threads wait for each other more than they compute,
    # and tests that run side by side take the cores from each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A shell's background job ignores Ctrl-C.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """What a test does to a signal, every process started by the tests after it would inherit."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert after == before


# Each test its own: what one that failed may have left running does not disturb the next.
_DOMAINS = itertools.count(os.getpid())


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain id that no other test on this machine uses, set in the environment."""
    for _ in range(101):
        domain = next(_DOMAINS) % 101 + 1
        path = Path(tempfile.gettempdir()) / f"carla_unet_ros_domain_{domain}.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
            monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            if "AMENT_PREFIX_PATH" not in os.environ:
                monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
            yield domain
            return
    pytest.fail("all ROS domains 1..101 are taken by other tests on this machine")


@pytest.fixture
def bench(ros_domain: int, tmp_path: Path) -> Iterator["RosBench"]:
    """A node of the test's own in a domain of its own; ends the processes it started."""
    del ros_domain
    from ros_bench import RosBench

    bench = RosBench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def launch(ros_domain: int, tmp_path: Path) -> Iterator["Start"]:
    """Starts `ros2 launch carla_unet_ros` in a domain of its own, and ends what it started."""
    del ros_domain
    from ros2_launch import Launch

    launches: list[Launch] = []

    def start(file: str, *arguments: str) -> Launch:
        launches.append(Launch(tmp_path / f"launch_{len(launches)}.txt", file, *arguments))
        return launches[-1]

    yield start
    for entry in launches:
        entry.close()
