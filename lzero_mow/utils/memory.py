"""How the process keeps its memory."""
import ctypes
import platform

# <malloc.h>: parameters of mallopt(3)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """
    Have glibc keep large freed blocks for the next allocation. Training on CPU allocates the same tensors at each
    update; by default each is mapped anew and cleared by the kernel, which costs about a third of an update. Does
    nothing where the C library is another one.
    """
    if platform.libc_ver()[0] == 'glibc':
        libc = ctypes.CDLL(None)
        # mallopt returns 0 where it refuses a value, as older releases do this one; then all is left as it was.
        if libc.mallopt(M_MMAP_THRESHOLD, 2 ** 30):
            libc.mallopt(M_TRIM_THRESHOLD, 2 ** 31 - 1)
