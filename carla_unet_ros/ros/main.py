"""What every node's `main` does around its node: arguments, spinning, and an exit without noise.

Ctrl-C under `ros2 launch` delivers SIGINT twice, to a process that may be in the middle of a
callback or of its own shutdown. And rclpy's own handlers wake the executor before they shut its
context down, so that one which looks in between goes to sleep for good. So the signals are ours:
they write to a pipe, and a thread that reads it shuts the context down and then wakes the
executor. The node is destroyed when that thread has ended, with the signals ignored: nothing is
shut down from two sides. A node that does not end all the same says where it stands and is killed.
"""

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from carla_unet_ros.ros.exit_timer import exit_after
from carla_unet_ros.ros.frame_memory import keep_freed_memory

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_END = 10  # enough for a report; then stacks are printed, later it is killed
_SECONDS_FOR_DDS = 3  # to destroy the participant; all else is done then
_RCL_ERRORS = (
    rclpy_implementation.RCLError,
    rclpy_implementation.InvalidHandle,
    rclpy_implementation.RCLInvalidROSArgsError,
)


def run(make_node: Callable[[], Node], argv: Sequence[str] | None = None, about: str = "") -> int:
    """Spins a node until Ctrl-C, SIGTERM or the end of its context; gives the exit status.

    make_node: called once ROS is up; a ParameterException or ValueError it raises ends the
               process with its text and status 1
    argv:      as sys.argv[1:]; None takes those
    about:     what --help says, usually the node module's docstring
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        description=about,
        epilog="Parameters: --ros-args -p NAME:=VALUE or --params-file FILE.yaml; "
        "other ROS arguments (-r, --log-level, ...) work as in every node.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    try:
        parser.parse_args(remove_ros_args(["", *arguments])[1:])
        return _run(make_node, arguments)
    except rclpy_implementation.UnknownROSArgsError as error:
        print(f"{parser.prog}: ROS knows no arguments {error}; see --help", file=sys.stderr)
        return 1
    except (ParameterException, ValueError, *_RCL_ERRORS) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def _run(make_node: Callable[[], Node], arguments: list[str]) -> int:
    keep_freed_memory()
    try:
        with _ros(arguments) as shut_down:
            return _spin(make_node, shut_down)
    except ExternalShutdownException:
        return 0


@contextlib.contextmanager
def _ros(arguments: list[str]) -> Iterator[Callable[[], None]]:
    """ROS until a signal or the end of the block; gives what shuts it down before either."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    # A byte for each signal from now on, in whichever thread it comes.
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    thread = threading.Thread(target=_shut_down_at_a_byte, args=[read_end], daemon=True)

    def shut_down() -> None:
        _ignore_signals()
        os.write(write_end, b"0")
        thread.join()

    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        thread.start()
        try:
            yield shut_down
        finally:
            shut_down()
    finally:
        _ignore_signals()
        signal.set_wakeup_fd(-1)
        os.close(read_end)
        os.close(write_end)


def _shut_down_at_a_byte(read_end: int) -> None:
    os.read(read_end, 1)
    # Both act even where a thread holds Python's lock and waits inside DDS.
    faulthandler.dump_traceback_later(_SECONDS_TO_END)
    signal.alarm(2 * _SECONDS_TO_END)
    rclpy.try_shutdown()


def _ignore_signals() -> None:
    """Even while Python itself ends: it would put default handlers in the place of ours."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _spin(make_node: Callable[[], Node], shut_down: Callable[[], None]) -> int:
    try:
        node = make_node()
        executor = SingleThreadedExecutor()
    except _RCL_ERRORS:
        # A signal that came while the node was being made has closed its context.
        if rclpy.ok():
            raise
        return 0
    executor.add_node(node)
    try:
        executor.spin()
    except _RCL_ERRORS:
        # A callback that was running when the signal came finds its publishers closed.
        if rclpy.ok():
            raise
    finally:
        shut_down()
        executor.shutdown()
        with node.handle:  # holds on to the participant, which goes last
            node.destroy_node()
            sys.stdout.flush()
            failed = sys.exc_info()[0] not in (None, ExternalShutdownException)
            exit_after(_SECONDS_FOR_DDS, status=int(failed))
    return 0
