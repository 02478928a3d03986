# SPDX-License-Identifier: Apache-2.0
"""Ends a child process with its parent, whatever way the parent ends."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # as in Linux's prctl.h


def end_with_parent() -> None:
    """Asks the kernel to end this process when its parent ends, even by kill -9 (Linux only).

    For `preexec_fn` of subprocess.Popen.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
