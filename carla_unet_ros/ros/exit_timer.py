"""Ends this process after a while, whatever its threads wait for.

Fast DDS 2.14 never returns from destroying a participant in the moment in which another one is
discovered or leaves: DomainParticipantImpl::set_listener waits until the end of time, the sum
overflows, and it asks again and again without giving up the lock that the discovery needs
(seen in a debugger once in some 400 nodes that ended beside others). rclpy holds Python's lock
meanwhile, so no Python thread can help: the timer and what it calls are the C library's.
"""

import ctypes
import time

_SIGEV_THREAD = 2  # as in glibc's bits/sigevent-consts.h


class _SigEvent(ctypes.Structure):
    """struct sigevent, 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_char * 32),
    )


class _TimerSpec(ctypes.Structure):
    """struct itimerspec."""

    _fields_ = (("interval", ctypes.c_long * 2), ("value", ctypes.c_long * 2))


def exit_after(seconds: int, status: int) -> bool:
    """Starts the timer; says whether this C library has such timers (glibc from 2.34 on does)."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "timer_create"):
        return False
    leave = ctypes.cast(libc._exit, ctypes.c_void_p)  # called with `value`
    event = _SigEvent(value=status, notify=_SIGEV_THREAD, function=leave)
    timer = ctypes.c_void_p()
    if libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        return False
    spec = _TimerSpec(value=(seconds, 0))
    return libc.timer_settime(timer, 0, ctypes.byref(spec), None) == 0
