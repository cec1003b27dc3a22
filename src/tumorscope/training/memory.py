"""Memory that the C library keeps between batches."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
PAD = 256 * 2**20


def keep_freed_memory() -> None:
    """Have glibc keep large blocks that are freed, instead of giving them back to the system.

    A training step frees and asks for the same hundreds of megabytes again and again; by default
    each is mapped anew and every page of it is zeroed by the kernel at first touch, which took
    half of the time of MobileNetV2 at 192 px on two cores. Other C libraries are left alone.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    library.mallopt(M_MMAP_MAX, 0)
    library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    library.mallopt(M_TOP_PAD, PAD)
