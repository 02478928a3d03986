# SPDX-License-Identifier: Apache-2.0
"""Shows the nodes at work on this machine, without a simulator."""

import math
import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from carla_unet_ros.command_line import Configured, check_ranges, run_command
from carla_unet_ros.demo.node_processes import NodeProcesses, free_domain
from carla_unet_ros.demo.recording import Video, write_picture
from carla_unet_ros.engines import EngineName
from carla_unet_ros.errors import InputError
from carla_unet_ros.model_file import read_model
from carla_unet_ros.stand_in.drive import Drive
from carla_unet_ros.whole_files import prepare_file

if TYPE_CHECKING:
    from carla_unet_ros.demo.view import DemoView

_SECONDS_TO_FIRST_LABEL = 60.0
_SECONDS_BETWEEN_LINES = 1.0
_SECONDS_TO_WAIT = 0.1
_NICENESS = 10
_LARGEST_DOMAIN = 232  # the last one with a UDP port (RTPS specification 2.5, 9.6.2.3)


@dataclass(frozen=True, kw_only=True)
class Options(Configured):
    """Shows the nodes at work on this machine, without a simulator.

    camera_node draws a drive, segmentation_node segments it, and evaluation_node compares the
    labels with the drive's own truth. They are processes that talk over DDS, as in the car, in a
    ROS domain of their own. Once a second the demo prints a line of figures from their
    /diagnostics. ground_grid_node and semantic_cloud_node run, too, for your own nodes in this
    domain: they compute nothing while nobody subscribes.

    It writes demo.png (camera | segmentation | truth) and demo.mp4 (camera | segmentation).
    """

    duration: float = 0.0  # end so many seconds after the first label image; 0: at Ctrl-C
    model: Path | None = None  # another model than the one that comes with the package
    engine: EngineName = "auto"  # what runs the model
    out: Path = Path()  # folder for demo.png and demo.mp4
    # show it in a browser as well, on a time line: the address is printed
    view: bool = False
    # which drive: 0, 1, 2, ... are downtown, suburb, country in turn
    seed: int = 4
    # ROS domain id to run in; without, one that nobody on this machine uses
    domain: int | None = None
    # when the command was typed, in seconds since 1970: the demo tells the time since then
    since: float | None = None

    def __post_init__(self) -> None:
        check_ranges(self, domain=(0, _LARGEST_DOMAIN), duration=(0, math.inf))
        check_ranges(self, seed=(0, 2**31 - 1))


class DemoFailed(InputError):
    """The nodes run, but give no result; the text says why."""


def main(argv: list[str] | None = None) -> int:
    """Runs the demo. Exit status 0 after --duration or Ctrl-C, 1 if something failed."""
    return run_command(Options, "carla_unet_demo", _run, argv)


class _StopOnSignal:
    """True after Ctrl-C, after the terminal was closed, and after `kill`."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def __bool__(self) -> bool:
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True


def _run(options: Options) -> None:
    stop = _StopOnSignal()
    try:
        from carla_unet_ros.demo.view import DemoView
    except ImportError as error:
        raise DemoFailed(
            f"ROS 2 cannot be imported ({error}); install it with pip install '.[ros]', "
            "or source /opt/ros/jazzy/setup.bash"
        ) from error
    if options.view:
        from carla_unet_ros.view.view_node import require_rerun

        require_rerun()
    model = read_model(options.model).path.absolute() if options.model else None
    film, picture = options.out / "demo.mp4", options.out / "demo.png"
    for file in (film, picture):
        prepare_file(file)
    domain = free_domain() if options.domain is None else options.domain
    os.environ |= {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    video = Video(film)
    with tempfile.TemporaryDirectory(prefix="carla_unet_demo_") as logs:
        os.environ["ROS_LOG_DIR"] = logs
        try:
            with NodeProcesses(Path(logs)) as nodes, closing(DemoView(video.add)) as view:
                started = time.time()
                height = _start(nodes, model, options)
                _say(f"Started {', '.join(nodes.names)} in ROS domain {domain}; Ctrl-C ends them.")
                _wait_for_first_label(view, nodes, stop, started, options.since)
                if not stop:
                    _start_others(nodes, height, options)
                if options.view:
                    _wait_for_page(view, nodes, stop)
                _show_figures(view, nodes, stop, options.duration)
        finally:
            video.close()
    if view.newest is not None:
        write_picture(picture, view.newest)
        _say(f"Wrote {picture} (camera | segmentation | truth) and {film}.")


def _start(nodes: NodeProcesses, model: Path | None, options: Options) -> str:
    """Starts what a label image and its score need. Gives the camera's height in metres."""
    nodes.start("stand_in.camera_node", seed=str(options.seed))
    chosen = {"model": str(model)} if model else {}
    chosen["engine"] = options.engine
    nodes.start("segmentation.segmentation_node", **chosen, use_sim_time="true")
    height = f"{Drive(seed=options.seed).camera_height:.3f}"
    nodes.start("evaluation.evaluation_node", camera_height=height, use_sim_time="true")
    return height


def _start_others(nodes: NodeProcesses, height: str, options: Options) -> None:
    """Starts what may come later, so that it does not delay the first label image."""
    nodes.start("ground.ground_grid_node", camera_height=height, use_sim_time="true")
    nodes.start("cloud.semantic_cloud_node", use_sim_time="true")
    if options.view:
        nodes.start("view.view_node", use_sim_time="true")
    # Where cores are few, the nodes run first and this process waits.
    os.nice(_NICENESS)


def _wait_for_first_label(
    view: "DemoView",
    nodes: NodeProcesses,
    stop: _StopOnSignal,
    started: float,
    since: float | None,
) -> None:
    while view.newest is None and not stop:
        _take_messages(view, nodes)
        if time.time() - started > _SECONDS_TO_FIRST_LABEL:
            raise DemoFailed(
                f"no label image came within {_SECONDS_TO_FIRST_LABEL:.0f} s. "
                f"{nodes.last_lines('segmentation_node')}"
            )
    if view.newest is not None:
        waited = f"{view.first_overlay - started:.1f} s after the nodes were started"
        if since is not None:
            waited += f", {view.first_overlay - since:.0f} s after the command"
        _say(f"First label image {waited}.")


def _wait_for_page(view: "DemoView", nodes: NodeProcesses, stop: _StopOnSignal) -> None:
    while not (page := view.page()) and not stop:
        _take_messages(view, nodes)
    if page:
        _say(f"Look at it in a browser: {page}")


def _show_figures(
    view: "DemoView", nodes: NodeProcesses, stop: _StopOnSignal, duration: float
) -> None:
    """Prints a line each second until it is time to stop; a terminal shows them in one place."""
    begin, end = ("\r\x1b[K", "") if sys.stdout.isatty() else ("", "\n")
    started = shown = time.monotonic()
    try:
        while not stop and not 0 < duration < time.monotonic() - started:
            _take_messages(view, nodes)
            if time.monotonic() - shown >= _SECONDS_BETWEEN_LINES:
                shown += _SECONDS_BETWEEN_LINES
                print(f"{begin}{shown - started:4.0f} s   {view.figures()}", end=end, flush=True)
    finally:
        if not end:
            print()


def _take_messages(view: "DemoView", nodes: NodeProcesses) -> None:
    """Receives messages. Raises NodeDied or DemoFailed where a node has given up."""
    view.spin(_SECONDS_TO_WAIT)
    nodes.check()
    if problem := view.problem():
        raise DemoFailed(problem)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
