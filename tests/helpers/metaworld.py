"""Meta-World in tests: an optional extra, which needs a GL library."""
import pytest

from lzero_mow.envs.metaworld_game import require_metaworld
from lzero_mow.envs.rendering import choose_gl


def skip_without_metaworld() -> None:
    """Skip the calling module if Meta-World cannot be rendered here; the reason says what is missing."""
    try:
        require_metaworld()
        choose_gl()
    except ValueError as error:
        pytest.skip(str(error), allow_module_level=True)
