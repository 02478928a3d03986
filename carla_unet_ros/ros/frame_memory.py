# SPDX-License-Identifier: Apache-2.0
"""Makes malloc keep the memory of a freed frame for the next one.

A frame takes megabytes, freed and allocated again twenty times a second. By default the C library
returns such memory to the kernel at once, which then clears and maps every page again: that is
most of the cost of taking a frame from the middleware (`python -m benchmarks.node.overhead`).
"""

import ctypes

# Names and values as in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_FRAME = 32 << 20  # the maximum that glibc accepts
_KEPT = 256 << 20


def keep_freed_memory() -> bool:
    """Tells malloc to keep up to 256 MiB; returns whether the C library can (glibc can)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_FRAME) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
