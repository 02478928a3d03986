"""What every node's `main` does around its node: arguments, spinning, and an exit without noise.

Ctrl-C under `ros2 launch` delivers SIGINT twice, to a process that may be in the middle of a
callback or of its own shutdown. So Python's own handler is taken away before rclpy puts in its
own, and the signals are ignored once the node is being destroyed.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from carla_unet_ros.frame_memory import keep_freed_memory

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RCL_ERRORS = (
    rclpy_implementation.RCLError,
    rclpy_implementation.InvalidHandle,
    rclpy_implementation.RCLInvalidROSArgsError,
    rclpy_implementation.UnknownROSArgsError,
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
    early: list[int] = []  # signals from before rclpy listens to them
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: early.append(number))
    try:
        parser.parse_args(remove_ros_args(["", *arguments])[1:])
        keep_freed_memory()
        rclpy.init(args=arguments)
        return 0 if early else _spin(make_node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (ParameterException, ValueError, *_RCL_ERRORS) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        rclpy.try_shutdown()


def _spin(make_node: Callable[[], Node]) -> int:
    try:
        node = make_node()
    except _RCL_ERRORS:
        # A signal that came while the node was being made has closed its context.
        if rclpy.ok():
            raise
        return 0
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except _RCL_ERRORS:
        # A callback that was running when the signal came finds its publishers closed.
        if rclpy.ok():
            raise
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        executor.shutdown()
        node.destroy_node()
    return 0
