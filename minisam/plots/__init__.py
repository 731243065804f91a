"""Figures, and the numbers they show; matplotlib is imported when one is drawn.

Use the style sheet for your own with ``plt.style.use(minisam.plots.style)``.
"""

from minisam.plots.bound import bound_figure
from minisam.plots.cost import Cost, cost_figure, costs, pareto_front
from minisam.plots.decisions import climbed_fraction, decisions_figure, threshold
from minisam.plots.gradient_norms import epoch_means, gradient_norms_figure
from minisam.plots.landscape import planes_figure, slices_figure
from minisam.plots.normality import (
    Normality,
    normality_figure,
    normality_test,
    quantiles,
    squared_norms,
)
from minisam.plots.page import style
from minisam.plots.predictors import predictors_figure
from minisam.plots.schematic import Step, sam_step, schematic_figure
from minisam.plots.sde import (
    cycle_figure,
    escape_figure,
    metric_figure,
    paths_figure,
    stationary_figure,
    weak_error_figure,
)
from minisam.plots.sharpness import rises_figure, spectra_figure
from minisam.plots.training import training_figure

__all__ = [
    "Cost",
    "Normality",
    "Step",
    "bound_figure",
    "climbed_fraction",
    "cost_figure",
    "costs",
    "cycle_figure",
    "decisions_figure",
    "epoch_means",
    "escape_figure",
    "gradient_norms_figure",
    "metric_figure",
    "normality_figure",
    "normality_test",
    "pareto_front",
    "paths_figure",
    "planes_figure",
    "predictors_figure",
    "quantiles",
    "rises_figure",
    "sam_step",
    "schematic_figure",
    "slices_figure",
    "spectra_figure",
    "squared_norms",
    "stationary_figure",
    "style",
    "threshold",
    "training_figure",
    "weak_error_figure",
]
