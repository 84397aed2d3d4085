"""The tensors of the fake device, and what happens when an operation meets them. Import after `installed`."""
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA, CPU = torch.device('cuda:0'), torch.device('cpu')
PACKAGE = str(Path(__file__).parents[3] / 'lzero_mow')

# Operations that only make a view or reserve memory: no kernel.
VIEWS = frozenset(
    'view _unsafe_view as_strided expand permute transpose t select slice split split_with_sizes unbind squeeze '
    'unsqueeze detach alias unfold diagonal _reshape_alias reshape narrow lift_fresh chunk movedim unflatten flatten '
    'empty empty_like new_empty empty_strided new_empty_strided _local_scalar_dense set_'.split()
)
# Operations whose result or its size the host needs: it waits until the device has come so far.
WAITS = frozenset(
    '_local_scalar_dense nonzero masked_select equal _unique2 unique_dim unique_consecutive repeat_interleave'.split()
)
INDEXED = frozenset('index index_put_ index_put _index_put_impl_'.split())


class Counts:
    """What the device was asked for, by the place in the package that asked."""

    def __init__(self) -> None:
        self.launches: Counter = Counter()
        self.waits: Counter = Counter()  # the host stands still until the device has done its work
        self.blocking: Counter = Counter()  # uploads that it waits for

    def clear(self) -> None:
        self.__init__()


counts = Counts()


def _place() -> str:
    """The innermost line of the package that is being run; 'backward' where autograd runs."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            return f'{frame.f_code.co_filename[len(PACKAGE) + 1:]}:{frame.f_lineno}'
        frame = frame.f_back
    return 'backward' if torch._C._current_autograd_node() is not None else 'elsewhere'


class FakeTensor(torch.Tensor):
    """A tensor that says it lies on cuda:0; ``held`` is where its numbers are, in main memory."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> 'FakeTensor':
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=CUDA
        )
        tensor.held = held
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Tuple = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def tolist(self) -> Any:
        counts.waits[_place()] += 1
        return self.held.tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __repr__(self) -> str:
        return f'FakeTensor({self.held!r})'

    def __deepcopy__(self, memo: Dict) -> 'FakeTensor':
        if id(self) not in memo:
            copy = FakeTensor(self.held.detach().clone())
            if getattr(self, '_is_param', False):
                copy = torch.nn.Parameter(copy)
            memo[id(self)] = copy.requires_grad_(self.requires_grad)
        return memo[id(self)]


class FakeDevice(TorchDispatchMode):
    """While it is active, tensors that are made on 'cuda' are fake ones."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Tuple = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Tuple, kwargs: Dict) -> Any:
    name = func._schema.name.split('::')[1]
    device = kwargs.get('device')
    to_cuda = device is not None and torch.device(device).type == 'cuda'
    to_cpu = device is not None and torch.device(device).type == 'cpu'
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    on_device = [x for x in tensors if isinstance(x, FakeTensor)]
    if not on_device and not to_cuda:
        return func(*args, **{key: x for key, x in kwargs.items() if key != 'pin_memory'})
    if not on_device and tensors or name == 'copy_' and not isinstance(args[1], FakeTensor):
        return _uploaded(func, name, args, kwargs)
    if name in ('_to_copy', 'copy_') and (to_cpu or name == 'copy_' and not isinstance(args[0], FakeTensor)):
        counts.waits[_place()] += 1
    elif on_device:
        _refuse_mixed(name, args, [x for x in tensors if not isinstance(x, FakeTensor)])
    _count(name, args)
    held = lambda x: x.held if isinstance(x, FakeTensor) else x
    kwargs = {key: x for key, x in kwargs.items() if key not in ('device', 'pin_memory', 'non_blocking')}
    if device is not None:
        kwargs['device'] = CPU
    out = func(*tree_map(held, args), **tree_map(held, kwargs))
    if to_cpu:
        return out.clone() if out is held(args[0]) else out
    return _wrapped(func, args, kwargs, out)


def _uploaded(func: Any, name: str, args: Tuple, kwargs: Dict) -> torch.Tensor:
    """From main memory: a new tensor, or into one that is there."""
    at = 2 if name == 'copy_' else len(args)
    if not (args[at] if len(args) > at else kwargs.get('non_blocking', False)):
        counts.blocking[_place()] += 1
    if name == 'copy_':
        func(args[0].held, args[1])
        return args[0]
    out = func(*args, **{**kwargs, 'device': CPU})
    return FakeTensor(out.clone())


def _refuse_mixed(name: str, args: Tuple, others: List[torch.Tensor]) -> None:
    """As on a GPU: only scalars may lie in main memory, and indices, for which the host waits."""
    arrays = [x for x in others if x.dim()]
    if not arrays:
        return
    indices = args[1] if name in INDEXED else ()
    if isinstance(args[0], FakeTensor) and all(any(x is index for index in indices) for x in arrays):
        counts.blocking[_place()] += len(arrays)
        return
    raise RuntimeError(f'{name} at {_place()} mixes cuda:0 with tensors {[tuple(x.shape) for x in arrays]} on the CPU')


def _count(name: str, args: Tuple) -> None:
    by_mask = name in INDEXED and any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1])
    if name in WAITS or by_mask:
        counts.waits[_place()] += 1
    if name not in VIEWS:
        counts.launches[_place()] += 1


def _wrapped(func: Any, args: Tuple, kwargs: Dict, out: Any) -> Any:
    """The result on the device; for what was written in place, the tensors that it was written to."""
    written = [
        kwargs[arg.name] if arg.name in kwargs else args[i] for i, arg in enumerate(func._schema.arguments)
        if arg.alias_info is not None and arg.alias_info.is_write
    ]
    in_place = bool(func._schema.returns) and all(
        result.alias_info is not None and result.alias_info.is_write for result in func._schema.returns
    )
    if in_place:
        return written[0] if len(func._schema.returns) == 1 else tuple(written[:len(func._schema.returns)])
    return tree_map(lambda x: FakeTensor(x) if isinstance(x, torch.Tensor) else x, out)
