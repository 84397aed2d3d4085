"""A configuration as a tree of plain values: laying one over another, dotted names, and the nearest right name."""
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Iterable, Iterator, List, Sequence

from .keys import WHOLE


def merge(base: dict, layer: dict) -> dict:
    """
    Lay ``layer`` over ``base``; only keys that ``base`` has may be changed. ValueError in one line that names the
    nearest right key, or a group that would lose its keys.
    """
    known = list(leaves(base))
    known += [key for key in WHOLE if any(leaf.startswith(f'{key}.') for leaf in known)]
    return _merge(base, layer, '', known)


def _merge(base: dict, layer: dict, prefix: str, known: List[str]) -> dict:
    merged = dict(base)
    for key, value in layer.items():
        path = f'{prefix}{key}'
        if key not in base:
            raise unknown_key(path, known)
        if path in WHOLE or not isinstance(base[key], dict):
            merged[key] = value
        elif isinstance(value, dict):
            merged[key] = _merge(base[key], value, path + '.', known)
        else:
            raise ValueError(f'{path} must be a group of keys, got {value!r}')
    return merged


def leaves(tree: dict, prefix: str = '') -> Iterator[str]:
    """The dotted names of all leaves of a tree."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}'


def get(config: dict, path: str) -> Any:
    """The value at a dotted path, or None if a part of it is not there."""
    for key in path.split('.'):
        if not isinstance(config, dict) or key not in config:
            return None
        config = config[key]
    return config


def plain(value: Any) -> Any:
    """A tree with dicts and lists where it has EasyDicts and tuples."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def unknown_key(path: str, known: Sequence[str]) -> ValueError:
    """The error for a key that is none of the known ones."""
    return ValueError(f"unknown key '{path}'{did_you_mean(path, known)}")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """
    The end of a message about an unknown name: the known one that looks most like it, if any does. Of dotted names the
    last part counts most.
    """
    last = name.rsplit('.', 1)[-1]
    candidates = [key for key in known if get_close_matches(last, [key.rsplit('.', 1)[-1]], cutoff=0.6)]
    if not candidates:
        few = len(known) < 20
        return ': there are ' + ', '.join(known) if few else ': `python -m lzero_mow config` prints every key'
    likeness = lambda one, other: SequenceMatcher(None, one, other).ratio()
    best = max(candidates, key=lambda key: likeness(last, key.rsplit('.', 1)[-1]) + likeness(name, key) / 4)
    return f": did you mean '{best}'?"


def nearest(name: str, names: Iterable[str], count: int = 3) -> List[str]:
    """The ``count`` of ``names`` that look most like a misspelled one, best first, upper and lower case being equal."""
    spelled = {known.lower(): known for known in names}
    return [spelled[match] for match in get_close_matches(str(name).lower(), spelled, n=count, cutoff=0.)]
