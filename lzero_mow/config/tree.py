"""TODO"""
import difflib
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Iterable, Iterator, List, Sequence

from .keys import WHOLE


def merge(base: dict, layer: dict) -> dict:
    """
    Overview:
        Lay ``layer`` over ``base``. Only keys that ``base`` has may be changed, and only to values of the same type.
    Raises:
        - ValueError: that names the nearest right key, or the two types.
    """
    known = list(leaves(base))
    known += [key for key in WHOLE if any(leaf.startswith(f'{key}.') for leaf in known)]
    return _merge(base, layer, '', known)


def _merge(base: dict, layer: dict, prefix: str, known: List[str]) -> dict:
    merged = dict(base)
    for key, value in layer.items():
        path = f'{prefix}{key}'
        if key not in base:
            raise _unknown_key(path, known)
        if path not in WHOLE and isinstance(base[key], dict) and isinstance(value, dict):
            merged[key] = _merge(base[key], value, path + '.', known)
        else:
            merged[key] = value if path in WHOLE else _typed(path, base[key], value)
    return merged


def _typed(path: str, default: Any, value: Any) -> Any:
    """Return ``value`` in the type of ``default``; a default of None takes any value."""
    if default is None or type(value) is type(default):
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, (list, tuple)) and isinstance(value, (list, tuple)):
        return type(default)(value)
    names = {
        bool: 'true or false',
        int: 'a whole number',
        float: 'a number',
        str: 'a name',
        list: 'a list',
        tuple: 'a list',
        dict: 'a group of keys'
    }
    raise ValueError(f'{path} takes {names[type(default)]}, now {plain(default)!r}: {value!r} is none')


def leaves(tree: dict, prefix: str = '') -> Iterator[str]:
    """The dotted names of all leaves of a tree."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}'


def _unknown_key(path: str, known: Sequence[str]) -> ValueError:
    return ValueError(f"unknown key '{path}'{did_you_mean(path, known)}")


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


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """
    Overview:
        The end of a message about an unknown name: the known one that looks most like it, if one does.
    Arguments:
        - name (:obj:`str`), known (:obj:`Sequence[str]`): Names, or dotted names whose last part counts most.
    """
    last = name.rsplit('.', 1)[-1]
    candidates = [key for key in known if get_close_matches(last, [key.rsplit('.', 1)[-1]], cutoff=0.6)]
    if not candidates:
        return ': there are ' + ', '.join(known) if len(known) < 20 else \
            ': `python -m lzero_mow config` prints every key'
    likeness = lambda one, other: SequenceMatcher(None, one, other).ratio()
    best = max(candidates, key=lambda key: likeness(last, key.rsplit('.', 1)[-1]) + likeness(name, key) / 4)
    return f": did you mean '{best}'?"


def nearest(name: str, names: Iterable[str], count: int = 3) -> List[str]:
    """
    Overview:
        The names that look most like a misspelled one, best first; upper and lower case count as equal.
    Arguments:
        - name (:obj:`str`): What was typed.
        - names (:obj:`Iterable[str]`): The names that exist.
        - count (:obj:`int`): How many to return at most.
    Returns:
        - nearest (:obj:`List[str]`): ``count`` of ``names``, or all of them if there are fewer.
    """
    spelled = {known.lower(): known for known in names}
    return [spelled[match] for match in difflib.get_close_matches(str(name).lower(), spelled, n=count, cutoff=0.)]
