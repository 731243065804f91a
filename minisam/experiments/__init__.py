"""Comparisons: methods × seeds × noise rates, run in parallel and resumable, and their tables."""

from minisam.experiments.cell import Cell, Experiment, grid, run_cell
from minisam.experiments.measured import measured_loss, measured_losses
from minisam.experiments.parallel import WorkersLostError, run_cells
from minisam.experiments.results import Results, ResultsError

__all__ = [
    "Cell",
    "Experiment",
    "Results",
    "ResultsError",
    "WorkersLostError",
    "grid",
    "measured_loss",
    "measured_losses",
    "run_cell",
    "run_cells",
]
