"""Memory that a step gives back and wants again a moment later."""

import ctypes
import functools
import os
import platform

# glibc's names for its settings, and the most that they can be set to.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_KEPT, _MOST_FROM_HEAP = 2**31 - 1, 32 * 2**20


@functools.cache
def keep_freed_memory() -> bool:
    """Let the process keep up to 2 GB of memory that it has freed, where its C library is glibc.

    glibc hands freed memory back to the operating system, which fills it with zeros when the next step asks for it: a
    quarter of a step's time. The setting is the process's and stays; where the user's environment says how memory is
    to be kept (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES), that holds.

    Returns:
        Whether it is kept now.

    Source: mallopt(3).
    """
    chosen = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"} & set(os.environ)
    if chosen or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _MOST_FROM_HEAP) and mallopt(_TRIM_THRESHOLD, _MOST_KEPT))
