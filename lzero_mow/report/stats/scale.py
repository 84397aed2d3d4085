"""The scale on which unlike tasks are averaged. It does not depend on who stands in a table."""
from contextlib import suppress
from dataclasses import dataclass
from typing import Optional

import numpy as np
import pandas as pd

from lzero_mow.config.references import References, normalised
from lzero_mow.config.suites import known_records
from .scores import RETURN


@dataclass(frozen=True)
class Scale:
    """What the scores of a table are: a column that every evaluation has."""
    label: str
    meaning: str  # of 0 and 1
    column: str
    suite: Optional[str] = None  # the suite of the ``config`` folder whose references it has


SUCCESS = Scale('success', 'in no episode 0, in all of them 1', 'success_any')
# Of a suite that the ``config`` folder does not hold.
UNKNOWN = Scale('normalised score', "random play 0, the suite's reference player 1", 'normalised')


def table_scale(rows: pd.DataFrame) -> Optional[Scale]:
    """
    The scale of a table of methods: success, or else the place of a return between its task's two fixed references, if
    every evaluation has it. Whose references they are is found from the numbers, since suites share names of games.
    None if there are no scores.
    """
    if rows[SUCCESS.column].notna().all():
        return SUCCESS
    if not rows[UNKNOWN.column].notna().all():
        return None
    suites = {name: record.references for name, record in known_records().items() if record.references is not None}
    name = next((name for name, references in suites.items() if _made_with(rows, references)), None)
    return UNKNOWN if name is None else Scale(suites[name].label, suites[name].meaning, UNKNOWN.column, name)


def _made_with(rows: pd.DataFrame, references: References) -> bool:
    """Whether these are the scores that a suite's references give."""
    with suppress(ValueError):
        scores = [normalised(value, references.of(task)) for task, value in zip(rows.task, rows[RETURN])]
        return np.allclose(scores, rows[UNKNOWN.column])
    return False
