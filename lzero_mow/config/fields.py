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


def names(values: Any) -> list:
    """Check that a value is a list of names."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise ValueError('a list of names, such as [A, B]')
    return list(values)


Names = Annotated[list, BeforeValidator(names)]

# Markers of keys, see lzero_mow/config/keys.py.
FIXED, MAY_CHANGE = 'a resumed run cannot change it', 'a resumed run may change it'

# What DI-engine's `default_config` adds to a class's keys: ours give it no meaning, and a run adds it again when built.
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
        try:
            are_numbers = isinstance(values, (list, tuple)) and len(values) == count and all(map(is_number, values))
            accepted = are_numbers and accepts(*values)
        except OverflowError:
            accepted = False
        if not accepted:
            raise ValueError(words)
        return tuple(values)

    return Annotated[tuple, BeforeValidator(check)]


Frame = numbers(
    3, '(3, height, width)', lambda *shape: all(type(n) is int and n > 0 for n in shape) and shape[0] == 3
)


def typed(keys: Type[BaseModel], values: Any, prefix: str, complete: bool = True) -> dict:
    """
    Check a group of keys and bring its values into their types (4 becomes 4.0, a list a tuple, where needed), in a new
    tree; ``complete`` adds the defaults of missing keys. ``prefix`` says where the group stands in the configuration,
    such as ``policy.``. ValueError in one line for the first key that is unknown or whose value cannot be.
    """
    if isinstance(values, dict) and keys.model_config.get('extra') == 'forbid':  # others may give them a meaning
        values = {key: value for key, value in values.items() if key not in DI_ENGINE_KEYS}
    try:
        return keys.model_validate(values).model_dump(exclude_unset=not complete)
    except ValidationError as error:
        first = error.errors()[0]
    # The rest of the location lies inside the key's value.
    path = list(itertools.takewhile(lambda part: isinstance(part, str) and part != '[key]', first['loc']))
    name = prefix + '.'.join(path) if path else prefix.rstrip('.: ')
    if first['type'] == 'extra_forbidden':
        raise unknown_key(name, list(leaves(keys.defaults(), prefix)))
    if first['type'] == 'missing':
        raise ValueError(f'{name} is missing')
    if '[key]' in first['loc']:
        raise ValueError(f"{name} must have names as keys, got the key {first['input']!r}")
    value = get(values, '.'.join(path)) if path else values
    raise ValueError(f'{name} must be {_expected(first)}, got {_as_typed(plain(value))}')


def _as_typed(value: Any) -> str:
    """A value as it is written in YAML."""
    if value is None:
        return 'null'
    return str(value).lower() if isinstance(value, bool) else repr(value)


WORDS = {
    'int_type': 'a whole number',
    'float_type': 'a number',
    'finite_number': 'a finite number',
    'bool_type': 'true or false',
    'string_type': 'text',
    'string_too_short': 'text',
    'too_short': 'non-empty',
    'list_type': 'a list',
    'model_type': 'a group of keys',
    'dict_type': 'a dict {{NAME: VALUE}}',
    'greater_than': 'more than {gt}',
    'greater_than_equal': 'at least {ge}',
    'less_than': 'less than {lt}',
    'less_than_equal': 'at most {le}',
    'literal_error': '{expected}',
    'value_error': '{error}',
}


def _expected(error: dict) -> str:
    kind = error['type']
    bounds = {name: int(value) if value == round(value) else value for name, value in error.get('ctx', {}).items()} \
        if kind.startswith(('greater', 'less')) else error.get('ctx', {})
    words = WORDS.get(kind, error['msg']).format(**bounds)
    if kind != 'literal_error' or ' or ' in words:
        return words
    return f"{words.lower() if words in ('True', 'False') else words}, its only choice"
