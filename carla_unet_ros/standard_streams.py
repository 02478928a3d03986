# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed, full, or read by nobody any more (`>&-`, `| head -1`)."""

import contextlib
import io
import os
import sys
from typing import TextIO

from carla_unet_ros.errors import sentence_of


def prepare_streams() -> None:
    """Opens /dev/null in place of standard streams that were closed at the start.

    Otherwise Python has None there, and the next file that is opened gets the descriptor and all
    that a library prints. What stdout cannot show, such as the name of a file that is no UTF-8, is
    shown as an escape.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_output() -> bool:
    """Sends what cannot be written to /dev/null, so that Python's end does not fail.

    Returns whether anything was lost.
    """
    lost = [_drop(stream) for stream in (sys.stdout, sys.stderr)]
    return any(lost)


def tell(program: str, error: Exception) -> int:
    """Prints an error that a user can cause as a sentence; returns the exit status 1."""
    with contextlib.suppress(OSError):
        print(f"{program}: {sentence_of(error)}", file=sys.stderr)
    drop_output()
    return 1


def _drop(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return True
    return False
