"""
Groups of keys as pydantic models: a key's type and range stand beside its default, and a value that cannot be is one
line: ``policy.batch_size must be at least 1, got 0``.
"""
import itertools
from math import isfinite
from typing import Annotated, Any, Callable, List, Type

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .tree import get, leaves, plain, unknown_key

Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]  # 0 turns off what it weighs
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, le=0.99)]


def _names(values: Any) -> list:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise ValueError('a list of names, such as [Pong, Boxing]')
    return list(values)


Names = Annotated[list, BeforeValidator(_names)]

# Markers of keys, see lzero_mow/config/keys.py.
FIXED, MAY_CHANGE = 'a resumed run cannot change it', 'a resumed run may change it'

# What DI-engine's `default_config` adds to a class's keys: of no meaning here, and added again when a run is built.
DI_ENGINE_KEYS = ('cfg_type', 'bp_update_sync', 'traj_len_inf', 'learn')


class Keys(BaseModel):
    """A group of keys with their defaults. Types are strict: true is no number, '4' is none, 4 will do for 4.0."""
    model_config = ConfigDict(strict=True, extra='forbid', allow_inf_nan=False, protected_namespaces=())

    @classmethod
    def defaults(cls) -> dict:
        """A new tree of the defaults."""
        return cls().model_dump()

    @classmethod
    def marked(cls, marker: str) -> List[str]:
        """Names of the keys that carry a marker."""
        return [name for name, field in cls.model_fields.items() if marker in field.metadata]


class RunKeys(Keys):
    """The top level of a configuration, beside its groups."""
    # (str) Run folder.
    exp_name: Annotated[str, Field(min_length=1)]
    # (str) A method of config/methods.yaml, or the name of another policy.
    method: str
    # (int) Seed of everything random.
    seed: Annotated[int, Field(ge=0, le=2 ** 32 - 1)]
    # (int) Environment steps per task.
    max_env_step: Count


class Part(Keys, extra='allow'):
    """A part of LightZero's create_config: a registered class, and the modules that register it."""
    type: str
    import_names: Names = []


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def numbers(count: int, words: str, accepts: Callable[..., bool]) -> Any:
    """
    The type of a list of ``count`` numbers that belong together. ``accepts`` is called with them and says whether they
    will do; ``words`` is what the message says a value must be.
    """

    def check(values: Any) -> tuple:
        are_numbers = isinstance(values, (list, tuple)) and len(values) == count and all(map(is_number, values))
        if not are_numbers or not accepts(*values):
            raise ValueError(words)
        return tuple(values)

    return Annotated[tuple, BeforeValidator(check)]


Frame = numbers(
    3, '(3, height, width)', lambda channels, *size: channels == 3 and all(type(n) is int and n > 0 for n in size)
)


def typed(keys: Type[Keys], values: Any, prefix: str, complete: bool = True) -> dict:
    """
    Check a group of keys and bring its values into their types (4 becomes 4.0, a list a tuple, where needed), in a new
    tree; ``complete`` adds the defaults of missing keys. ``prefix`` says where the group stands in the configuration,
    such as ``policy.``. ValueError in one line for the first key that is unknown or whose value cannot be.
    """
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key not in DI_ENGINE_KEYS}
    try:
        return keys.model_validate(values).model_dump(exclude_unset=not complete)
    except ValidationError as error:
        first = error.errors()[0]
    # What comes behind a key's path is a place in its value.
    path = list(itertools.takewhile(lambda part: isinstance(part, str) and part != '[key]', first['loc']))
    name = prefix + '.'.join(path) if path else prefix.rstrip('.')
    if first['type'] == 'extra_forbidden':
        raise unknown_key(name, list(leaves(keys.defaults(), prefix)))
    value = get(values, '.'.join(path)) if path else values
    raise ValueError(f'{name} must be {_expected(first)}, got {plain(value)!r}')




WORDS = {
    'int_type': 'a whole number',
    'float_type': 'a number',
    'finite_number': 'a finite number',
    'bool_type': 'true or false',
    'string_type': 'text',
    'string_too_short': 'text',
    'missing': 'given',
    'list_type': 'a list',
    'model_type': 'a group of keys',
    'dict_type': 'a dict, such as {{Pong: 20}}',
    'greater_than': 'more than {gt}',
    'greater_than_equal': 'at least {ge}',
    'less_than': 'less than {lt}',
    'less_than_equal': 'at most {le}',
    'literal_error': '{expected}',
    'value_error': '{error}',
}


def _expected(error: dict) -> str:
    kind = 'dict_type' if '[key]' in error['loc'] else error['type']
    bounds = {name: int(value) if value == round(value) else value for name, value in error.get('ctx', {}).items()} \
        if kind.startswith(('greater', 'less')) else error.get('ctx', {})
    words = WORDS.get(kind, error['msg']).format(**bounds)
    return f'{words}, its only choice' if kind == 'literal_error' and ' or ' not in words else words
