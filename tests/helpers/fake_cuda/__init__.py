"""
A "cuda:0" made of main memory, for machines without a GPU: tensors say that they lie on cuda:0 and compute on the CPU.
Operations that mix devices fail; launches and waits for the device are counted. Real kernels, their workspaces and
their speed are not covered; attention, an indexed write and the backward pass of a convolution count as one launch.

It changes torch for the whole process, so it needs one of its own; `installed` must be called before torch is imported.
"""
import ctypes
import importlib.util
import pathlib
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).parent / 'guard.cpp'


def installed() -> None:
    """Compile and load the device; RuntimeError without a C++ compiler or torch's headers."""
    torch = pathlib.Path(importlib.util.find_spec('torch').origin).parent
    folder = tempfile.mkdtemp()
    library, include = f'{folder}/guard.so', torch / 'include'
    command = [
        'g++', '-shared', '-fPIC', '-O0', '-std=c++20', f'-I{include}', f'-I{include}/torch/csrc/api/include',
        str(SOURCE), f'-L{torch}/lib', f'-Wl,-rpath,{torch}/lib', '-lc10', '-ltorch_cpu', '-o', library
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f'the fake device could not be compiled: {getattr(error, "stderr", error)}') from error
    for path in (torch / 'lib' / 'libtorch_global_deps.so', library):
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
