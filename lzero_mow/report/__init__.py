"""Tables, statistics and pictures of runs: functions of arrays, frames and paths."""
