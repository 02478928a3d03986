# SPDX-License-Identifier: Apache-2.0
"""The segmentation node with more frames than it can work on: what it drops, that none starves.

The test drives simulation time by what the node gets done, not by the wall clock: two ticks for
each label image. A node that queues frames falls one tick further behind with each; how fast
the machine is makes no difference.
"""

from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import tiny_model
from ros_bench import Camera, Diagnostics, RosBench, pixels, scene
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

SMALL, LARGE = (180, 240), (240, 320)
PERIOD_MS = 50


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes many times as long for a frame as a publisher takes to send two."""
    return tiny_model.write(tmp_path_factory.mktemp("slow") / "slow.onnx", work=40)


class Simulation:
    """Cameras that tick together, and the clock they tick by."""

    def __init__(self, bench: RosBench, cameras: dict[str, tuple[int, int]]) -> None:
        self.ticks = 0
        self.labels: list[tuple[str, Image]] = []
        self._clock = bench.node.create_publisher(Clock, "/clock", 10)
        self._cameras = {name: Camera(bench, f"/{name}/image") for name in cameras}
        self.scenes = {
            name: scene(*size, seed=place) for place, (name, size) in enumerate(cameras.items())
        }
        for name in cameras:
            bench.node.create_subscription(
                Image, f"/{name}/segmentation/labels", self._collector(name), 10
            )
        bench.until(lambda: all(camera.listened_to for camera in self._cameras.values()))

    def tick(self) -> None:
        self.ticks += 1
        header = Header()
        header.stamp.sec, milliseconds = divmod(PERIOD_MS * self.ticks, 1000)
        header.stamp.nanosec = milliseconds * 10**6
        self._clock.publish(Clock(clock=header.stamp))
        for name, camera in self._cameras.items():
            camera.send(self.scenes[name][0], header=header)

    def periods_old(self, image: Image) -> int:
        """How many ticks ago an image's frame was published."""
        stamp = image.header.stamp
        return self.ticks - (stamp.sec * 1000 + stamp.nanosec // 10**6) // PERIOD_MS

    @property
    def caught_up(self) -> set[str]:
        """The cameras whose newest frame has its labels."""
        return {name for name, image in self.labels if self.periods_old(image) == 0}

    def _collector(self, name: str):
        def collect(message: Image) -> None:
            self.labels.append((name, message))

        return collect


def test_an_overloaded_node_drops_old_frames_and_stays_near_the_newest(
    bench: RosBench, slow_model: Path
) -> None:
    diagnostics = Diagnostics(bench)
    bench.start(
        "segmentation.segmentation_node",
        model=slow_model,
        engine="openvino",
        image_topics=["/front/image"],
        use_sim_time=True,
    )
    simulation = Simulation(bench, {"front": LARGE})
    simulation.tick()
    bench.until(lambda: simulation.labels)  # from here on the node counts what it misses
    ages: list[int] = []
    for _ in range(15):
        before = len(simulation.labels)
        simulation.tick()
        simulation.tick()
        bench.until(lambda before=before: len(simulation.labels) > before)
        ages.append(simulation.periods_old(simulation.labels[before][1]))
    # Two, but where a frame was late on its way; a node that queued them would fall behind by one
    # in each of these rounds.
    assert median(ages) <= 2 and max(ages) <= 4, ages
    bench.until(lambda: simulation.caught_up)

    status = "/segmentation: /front/image"
    counted = bench.until(
        lambda: (
            diagnostics.value(status, "frames out") == str(len(simulation.labels))
            and [int(diagnostics.value(status, f"frames {kind}")) for kind in ("in", "dropped")]
        )
    )
    received, dropped = counted
    assert received == len(simulation.labels)
    assert received + dropped == simulation.ticks == 31
    assert dropped >= 5
    np.testing.assert_array_equal(pixels(simulation.labels[-1][1]), simulation.scenes["front"][1])


def test_four_cameras_of_two_sizes_take_fair_turns(bench: RosBench, slow_model: Path) -> None:
    diagnostics = Diagnostics(bench)
    sizes = {"front": LARGE, "rear": LARGE, "left": SMALL, "right": SMALL}
    bench.start(
        "segmentation.segmentation_node",
        model=slow_model,
        engine="openvino",
        image_topics=[f"/{name}/image" for name in sizes],
        use_sim_time=True,
    )
    simulation = Simulation(bench, sizes)
    simulation.tick()
    bench.until(lambda: len({name for name, _ in simulation.labels}) == 4)
    for _ in range(7):
        before = len(simulation.labels)
        simulation.tick()
        simulation.tick()
        bench.until(lambda before=before: len(simulation.labels) >= before + 4)
    bench.until(lambda: simulation.caught_up == set(sizes))
    counts = Counter(name for name, _ in simulation.labels)
    assert min(counts.values()) > max(counts.values()) / 2, counts
    for name, image in simulation.labels:
        np.testing.assert_array_equal(pixels(image), simulation.scenes[name][1])

    for name in sizes:  # whether a frame gave way in the node or in the middleware
        status = f"/segmentation: /{name}/image"
        bench.until(
            lambda name=name, status=status: (
                diagnostics.value(status, "frames out") == str(counts[name])
            )
        )
        received = int(diagnostics.value(status, "frames in"))
        assert received == counts[name]
        assert received + int(diagnostics.value(status, "frames dropped")) == simulation.ticks
