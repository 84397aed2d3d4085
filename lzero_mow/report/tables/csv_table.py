"""Tables as CSV files: a dataclass is the schema of their rows, pandas reads them."""
import csv
import os
from dataclasses import astuple, fields
from typing import Any, Iterable, List

import pandas as pd

from lzero_mow.utils.files import replacing

MISSING = ['', 'nan']  # in a column of floats; a task may well be called 'nan'


class Table:
    """
    One kind of CSV file; ``kind`` names it in errors. The row is a dataclass: a field is a column, of its type, and
    ``Optional[float]`` fields may be empty.
    """

    def __init__(self, kind: str, row: type) -> None:
        types = {int: 'int64', str: str}
        self.kind = kind
        self.columns = {field.name: types.get(field.type, 'float64') for field in fields(row)}

    def frame(self, rows: Iterable[Any]) -> pd.DataFrame:
        """Rows as a frame of this table's columns."""
        return pd.DataFrame(map(astuple, rows), columns=list(self.columns)).astype(self.columns)

    def append(self, path: str, rows: Iterable[Any]) -> None:
        """Append rows, under a header if the file is new, wait until they are on the disk; OSError names the file."""
        try:
            with open(path, 'a', newline='') as file:
                writer = csv.writer(file, lineterminator='\n')
                if file.tell() == 0:
                    writer.writerow(self.columns)
                writer.writerows(map(astuple, rows))  # None is an empty field
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error

    def read_if_there(self, path: str) -> pd.DataFrame:
        """Read a file; an empty frame where there is none."""
        return self.read(path) if os.path.isfile(path) else self.frame([])

    def read(self, path: str) -> pd.DataFrame:
        """Read a file; ValueError in one line that names it if it has other columns or is damaged."""
        present = header(path)
        if present != list(self.columns):
            raise ValueError(
                f'{path} is not a {self.kind}: its columns are {present}, those of this version {list(self.columns)}'
            )
        missing = {name: MISSING for name, kind in self.columns.items() if kind == 'float64'}
        return read_csv(path, self.kind, dtype=self.columns, na_values=missing)


def header(path: str) -> List[str]:
    """The columns of a CSV file; none if it is empty."""
    with open(path, newline='') as file:
        return next(csv.reader(file), [])


def read_csv(path: str, kind: str, **options: Any) -> pd.DataFrame:
    """
    ``pandas.read_csv`` that reads back the very floats that were written, and guesses nothing to be missing. ValueError
    in one line that names the file if it is damaged.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, float_precision='round_trip', **options)
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError('its rows have more fields than its header')
        return table
    except ValueError as error:  # the parser's errors are of this type too
        raise ValueError(f"{path} is not a {kind}: {' '.join(str(error).split())}") from error


def write_csv(path: str, table: pd.DataFrame, **options: Any) -> None:
    """Write a whole table at once."""
    with replacing(path) as temporary:
        table.to_csv(temporary, **{'index': False, 'lineterminator': '\n', **options})


def cut_results(path: str, size: int) -> int:
    """
    Drop what was written after the file had ``size`` bytes, so that a resumed run does not repeat rows, and return how
    many bytes that was. ValueError if the file is shorter: rows that the checkpoint counts on are gone.
    """
    present = os.path.getsize(path) if os.path.exists(path) else 0
    if present < size:
        raise ValueError(f'{path} has {present} bytes, but {size} when the checkpoint was saved: rows are missing')
    if present > size:
        os.truncate(path, size)
    return present - size
