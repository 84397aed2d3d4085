"""TODO"""
import csv
import os
from typing import Any, Dict, Iterable, List, Sequence


def append_rows(path: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """
    Overview:
        Append rows, under a header line if the file is new, and wait until they are on the disk.
    Raises:
        - OSError: that names the file if it cannot be written.
    """
    try:
        with open(path, 'a', newline='') as file:
            writer = csv.writer(file, lineterminator='\n')
            if file.tell() == 0:
                writer.writerow(columns)
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def read_rows(path: str, columns: Sequence[str], kind: str) -> List[Dict[str, str]]:
    """
    Overview:
        Read a table that ``append_rows`` wrote.
    Arguments:
        - kind (:obj:`str`): What the table is, for the error.
    Raises:
        - ValueError: if the file has other columns.
    """
    with open(path, newline='') as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != tuple(columns):
            raise ValueError(f'{path} is no {kind}: its columns are {reader.fieldnames}, not {list(columns)}')
        return list(reader)


def cut_results(path: str, size: int) -> int:
    """
    Overview:
        Drop what was written after the file had ``size`` bytes, so that a resumed run does not repeat rows.
    Returns:
        - dropped (:obj:`int`): How many bytes were dropped.
    Raises:
        - ValueError: if the file is shorter than ``size``: rows that the checkpoint counts on are gone.
    """
    present = os.path.getsize(path) if os.path.exists(path) else 0
    if present < size:
        raise ValueError(
            f'{path} has {present} bytes but the checkpoint was saved when it had {size}: rows are missing'
        )
    if present > size:
        os.truncate(path, size)
    return present - size
