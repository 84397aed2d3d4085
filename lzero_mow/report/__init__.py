"""Pictures of a run: open-loop videos, the router's heat map, learning curves. Pure functions of arrays and paths."""
