"""What every node's `main` does around its node: arguments, spinning, and an exit without noise.

Ctrl-C under `ros2 launch` delivers SIGINT twice, to a process that may be in the middle of a
callback or of its own shutdown. And rclpy's own handlers wake the executor before they shut its
context down, so that one which looks in between goes to sleep for good. So the signals are ours:
they write to a pipe, a thread that reads it shuts the context down and then wakes the executor,
and they are ignored once the node is being destroyed.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from carla_unet_ros.frame_memory import keep_freed_memory

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
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
    signals = _pipe_of_signals()
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        threading.Thread(target=_shut_down_on_signal, args=[signals], daemon=True).start()
        return _spin(make_node)
    except ExternalShutdownException:
        return 0
    finally:
        _ignore_signals()
        rclpy.try_shutdown()


def _pipe_of_signals() -> int:
    """A file descriptor with a byte for each signal from now on, in whichever thread it came."""
    signals, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    return signals


def _shut_down_on_signal(signals: int) -> None:
    os.read(signals, 1)
    # The executor may end, its guard condition with it, in the moment it is to be woken.
    with contextlib.suppress(rclpy_implementation.InvalidHandle):
        rclpy.try_shutdown()


def _ignore_signals() -> None:
    """Even while Python itself ends: it would put default handlers in the place of ours."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _spin(make_node: Callable[[], Node]) -> int:
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
        _ignore_signals()
        executor.shutdown()
        node.destroy_node()
    return 0
