# SPDX-License-Identifier: Apache-2.0
"""Runs a node for its `main`: parses arguments, spins, and shuts down quietly.

An error that a callback raises does not end the node (callback_guard.py).

Ctrl-C under `ros2 launch` delivers SIGINT twice, to a process that may be in the middle of a
callback or of its own shutdown. A signal therefore only sets a flag, which is read between two
callbacks: nothing is closed while code still uses it. rclpy's own handlers close the context at
once, and a signal at the wrong moment leaves the executor asleep; a thread in sigwait would miss
the signal, since numpy's threads, which start before any mask can be set, take it.
A callback that never returns from C++ never reads the flag: only SIGKILL ends that process.
"""

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from carla_unet_ros.errors import InputError
from carla_unet_ros.pictures import shown
from carla_unet_ros.ros.callback_guard import CallbackGuard
from carla_unet_ros.ros.clock_messages import leave_out_negative_time
from carla_unet_ros.ros.exit_timer import exit_after
from carla_unet_ros.ros.frame_memory import keep_freed_memory
from carla_unet_ros.ros.parameter_requests import refuse_unreadable_requests
from carla_unet_ros.ros.rclpy_private import (
    GuardedExecutor,
    RCLError,
    UnknownROSArgsError,
    keep_participant,
)
from carla_unet_ros.standard_streams import drop_output, prepare_streams, tell

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_NOTICE = 0.25  # rclpy waits in C++, where Python handles no signals
_SECONDS_TO_END = 9  # enough for a report, and before `ros2 launch` sends SIGKILL
_SECONDS_FOR_DDS = 3  # to destroy the participant, which is the last step

_signal_came = False


def run(make_node: Callable[[], Node], argv: Sequence[str] | None = None, about: str = "") -> int:
    """Spins a node until Ctrl-C, SIGTERM or the end of its context; returns the exit status.

    make_node: called once ROS is up; what a user can cause (ParameterException, InputError,
               OSError) ends the process with a sentence and status 1
    argv:      arguments without the program name; None takes sys.argv[1:]
    about:     what --help says, usually the node module's docstring
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        description=about,
        epilog="Parameters: --ros-args -p NAME:=VALUE or --params-file FILE.yaml; "
        "other ROS arguments (-r, --log-level, ...) work as in every node.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepare_streams()
    try:
        _check_encoding(arguments)
        parser.parse_args(remove_ros_args(["", *arguments])[1:])
        _run(make_node, arguments)
        _leave_threads_behind()
    except UnknownROSArgsError as error:
        return tell(parser.prog, InputError(f"ROS knows no arguments {error}; see --help"))
    except NameValidationException as error:  # its text is a name and, below it, an arrow
        return tell(parser.prog, InputError(" ".join(str(error).split())))
    except (ParameterException, InputError, OSError, RCLError) as error:
        return tell(parser.prog, error)
    except SystemExit as end:  # after --help, or arguments that are none
        if drop_output() and not end.code:
            return 1
        raise
    return 0


def _check_encoding(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if shown(argument) != argument:
            raise InputError(
                f"the argument {shown(argument)} is no UTF-8, which ROS needs: give the file or "
                "folder another name"
            )


def _must_end() -> bool:
    """Whether a signal has arrived or the context is closed."""
    return _signal_came or not rclpy.ok()


def _leave_threads_behind() -> None:
    """Ends the process with status 0 where a thread is still at work: one that builds an engine.

    It cannot be interrupted, nobody needs its result, and libraries crash whose code runs while
    Python ends.
    """
    if threading.active_count() > 1:
        drop_output()
        os._exit(0)


def _run(make_node: Callable[[], Node], arguments: list[str]) -> None:
    keep_freed_memory()
    for number in _SIGNALS:
        signal.signal(number, _on_signal)
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        _spin(make_node())
    finally:
        _print_stacks_and_exit_later()
        rclpy.try_shutdown()
        # Python would otherwise restore the default handlers as it ends.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _on_signal(number: int, frame: FrameType | None) -> None:
    del number, frame
    global _signal_came
    _signal_came = True
    _print_stacks_and_exit_later()


def _print_stacks_and_exit_later() -> None:
    """Exits with status 1, even if a thread holds the GIL; a normal exit cancels this."""
    faulthandler.dump_traceback_later(_SECONDS_TO_END, exit=True)


def _spin(node: Node) -> None:
    failed = True
    refuse_unreadable_requests(node)
    leave_out_negative_time(node)
    try:
        with GuardedExecutor(CallbackGuard(node).report) as executor:
            executor.add_node(node)
            with contextlib.suppress(ExternalShutdownException):
                while not _must_end():
                    executor.spin_once(_SECONDS_TO_NOTICE)
        failed = False
    finally:
        _print_stacks_and_exit_later()
        with keep_participant(node):
            _destroy(node, failed)


def _destroy(node: Node, failed: bool) -> None:
    """Destroys a node, which may write a report, and sets the timer for the participant."""
    done = False
    try:
        node.destroy_node()
        done = True
    finally:
        drop_output()
        exit_after(_SECONDS_FOR_DDS, status=int(failed or not done))
