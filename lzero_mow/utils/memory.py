"""How the process manages its memory."""
import ctypes
import platform

# <malloc.h>: parameters of mallopt(3)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """
    Have glibc keep large freed blocks for the next allocation. Training on a CPU allocates the same tensors in every
    update; by default the kernel maps and clears each of them again, which takes about a third of an update. Has no
    effect with other C libraries.
    """
    if platform.libc_ver()[0] == 'glibc':
        libc = ctypes.CDLL(None)
        # mallopt returns 0 if it refuses a value, as older releases do here; then the defaults stay.
        if libc.mallopt(M_MMAP_THRESHOLD, 2 ** 30):
            libc.mallopt(M_TRIM_THRESHOLD, 2 ** 31 - 1)
