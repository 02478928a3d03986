# SPDX-License-Identifier: Apache-2.0
"""Memory of a frame that is gone is kept for the next one.

A frame is megabytes, freed and asked for again twenty times a second. The C library hands such
memory back to the kernel at once, which then clears and maps every page anew: most of what it
costs to take a frame from the middleware (`python -m benchmarks.node.overhead`).
"""

import ctypes

# Names and values as in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_FRAME = 32 << 20  # the most glibc takes here
_KEPT = 256 << 20


def keep_freed_memory() -> bool:
    """Tells malloc to keep up to 256 MiB; says whether this C library takes it (glibc does)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_FRAME) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
