"""Tables of evaluations with few and plain numbers."""
from lzero_mow.config.references import normalised
from lzero_mow.report.tables.costs import COSTS, RunCost
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.results import Result, append_results

REFERENCES = {'A': (1.0, 5.0), 'B': (10.0, 20.0)}
GAMES = tuple(REFERENCES)


def rows_of(method, finals, scored=True):
    """Two evaluations of each run, at steps 50 and 100: 0, then what is given, (seeds, games)."""
    return [
        Result(method, seed, game, step, 1, value, normalised(value, REFERENCES[game] if scored else None))
        for seed, of_seed in enumerate(finals) for game, final in zip(GAMES, of_seed)
        for step, value in ((50, 0.0), (100, float(final)))
    ]


def random_rows(*finals, scored=True):
    return reference_rows('random', finals, scored)


def reference_rows(player, finals, scored=True):
    """One row per seed and game at step 0, of what is given, (seeds, games)."""
    return [
        Result(player, seed, game, 0, 1, float(final), normalised(final, REFERENCES[game] if scored else None))
        for seed, of_seed in enumerate(finals) for game, final in zip(GAMES, of_seed)
    ]


def write(folder, **methods):
    for method, rows in methods.items():
        append_results(str(folder / f'{method}.csv'), rows)
    return str(folder)


def write_table(folder):
    """A: random 1, mow 5, storm 3. B: random 10, mow 20, storm 30, of one seed."""
    write_csv(
        str(folder / 'runs.csv'), COSTS.frame([
            RunCost('mow', 0, 'all', 100, 200, 50, 4.0, 5.0, 8.0, 100.0),
            RunCost('mow', 1, 'all', 100, 200, 50, 6.0, 5.0, 8.0, 100.0),
            RunCost('storm', 0, 'A', 100, 100, 50, 2.0, 5.0, 3.0, 100.0),
            RunCost('storm', 0, 'B', 100, 100, 50, 3.0, 5.0, 3.0, 100.0)
        ])
    )
    return write(
        folder, mow=rows_of('mow', [(4, 18), (6, 22)]), storm=rows_of('storm', [(3, 30)]),
        random=random_rows((0.5, 9), (1.5, 11))
    )
