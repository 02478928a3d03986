# SPDX-License-Identifier: Apache-2.0
"""Ends this process after a while, whatever its threads wait for.

Fast DDS 2.14 never returns from destroying a participant in the moment in which another one is
discovered or leaves: DomainParticipantImpl::set_listener waits until the end of time, the sum
overflows, and it asks again and again without giving up the lock that the discovery needs
(seen in a debugger once in some 400 nodes that ended beside others). rclpy holds Python's lock
meanwhile, so no Python thread can help: the timer and what it calls are the C library's.
faulthandler has such a timer too, but it ends every process with status 1.
"""

import ctypes
import struct
import time

_SIGEV_THREAD = 2  # as in glibc's bits/sigevent-consts.h


def exit_after(seconds: int, status: int) -> bool:
    """Starts the timer; says whether this C library has such timers (glibc from 2.34 on does)."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "timer_create"):
        return False
    leave = ctypes.cast(libc._exit, ctypes.c_void_p).value
    # struct sigevent, 64 bytes: value to call with, no signal, how, function, no attributes
    event = struct.pack("PiiPP32x", status, 0, _SIGEV_THREAD, leave, 0)
    timer = ctypes.c_void_p()
    if libc.timer_create(time.CLOCK_MONOTONIC, event, ctypes.byref(timer)):
        return False
    # struct itimerspec: no interval; seconds and nanoseconds to the only time
    return libc.timer_settime(timer, 0, struct.pack("4l", 0, 0, seconds, 0), None) == 0
