# SPDX-License-Identifier: Apache-2.0
"""Ends this process after a timeout, even if all its threads are blocked.

Fast DDS 2.14 can hang while it destroys a participant just as another one is discovered or
leaves: DomainParticipantImpl::set_listener waits with an infinite timeout, the deadline
overflows, and it polls forever without releasing the lock that discovery needs (seen in a
debugger, once in about 400 nodes that ended beside others). rclpy holds the GIL meanwhile, so no
Python thread can help: both the timer and the function it calls belong to the C library.
faulthandler has such a timer too, but it ends every process with status 1.
"""

import ctypes
import struct
import time

_SIGEV_THREAD = 2  # as in glibc's bits/sigevent-consts.h


def exit_after(seconds: int, status: int) -> bool:
    """Starts the timer; returns whether the C library has one (glibc has from 2.34)."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "timer_create"):
        return False
    leave = ctypes.cast(libc._exit, ctypes.c_void_p).value
    # struct sigevent, 64 bytes: argument, no signal, notification kind, function, no attributes
    event = struct.pack("PiiPP32x", status, 0, _SIGEV_THREAD, leave, 0)
    timer = ctypes.c_void_p()
    if libc.timer_create(time.CLOCK_MONOTONIC, event, ctypes.byref(timer)):
        return False
    # struct itimerspec: no interval; seconds and nanoseconds until it fires once
    return libc.timer_settime(timer, 0, struct.pack("4l", 0, 0, seconds, 0), None) == 0
