"""SDE models of SGD, USAM, DNSAM and SAM, simulated beside the algorithms themselves."""

from minisam.sde.algorithms import (
    ALGORITHMS,
    DNSAM,
    SAM,
    SGD,
    USAM,
    Algorithm,
    check_step,
    stability_limit,
    step,
)
from minisam.sde.comparison import Metric, compare, metric, relative_error
from minisam.sde.cycles import Cycle, cycle, cycle_amplitude
from minisam.sde.directions import expected_direction, expected_norm
from minisam.sde.expansion import Moments, step_moments
from minisam.sde.landscapes import (
    cosh,
    embedded_saddle,
    quadratic,
    random_quadratic,
    saddle,
    two_wells,
    wavy,
)
from minisam.sde.models import SDE, additive, combine, general, model, modified_loss
from minisam.sde.moments import (
    Trajectory,
    discrete_moments,
    discrete_stationary,
    sde_moments,
    sde_stationary,
)
from minisam.sde.networks import (
    Network,
    deep_linear,
    deep_sigmoid,
    digits_mlp,
    linear_autoencoder,
    logistic,
    teacher_student,
)
from minisam.sde.noise import Gaussian, MiniBatches, all_batches, one_epoch
from minisam.sde.problems import Problem, finite_sum
from minisam.sde.processes import discrete, euler_maruyama, stopped
from minisam.sde.roots import Clips, psd_root
from minisam.sde.saddles import escape, sam_trap, usam_attracts
from minisam.sde.settling import Stationary, stationary
from minisam.sde.simulation import Simulation, observables, simulate
from minisam.sde.streams import Streams
from minisam.sde.weak import WeakError, slope, weak_error

__all__ = [
    "ALGORITHMS",
    "DNSAM",
    "SAM",
    "SDE",
    "SGD",
    "USAM",
    "Algorithm",
    "Clips",
    "Cycle",
    "Gaussian",
    "Metric",
    "MiniBatches",
    "Moments",
    "Network",
    "Problem",
    "Simulation",
    "Stationary",
    "Streams",
    "Trajectory",
    "WeakError",
    "additive",
    "all_batches",
    "check_step",
    "combine",
    "compare",
    "cosh",
    "cycle",
    "cycle_amplitude",
    "deep_linear",
    "deep_sigmoid",
    "digits_mlp",
    "discrete",
    "discrete_moments",
    "discrete_stationary",
    "embedded_saddle",
    "escape",
    "euler_maruyama",
    "expected_direction",
    "expected_norm",
    "finite_sum",
    "general",
    "linear_autoencoder",
    "logistic",
    "metric",
    "model",
    "modified_loss",
    "observables",
    "one_epoch",
    "psd_root",
    "quadratic",
    "random_quadratic",
    "relative_error",
    "saddle",
    "sam_trap",
    "sde_moments",
    "sde_stationary",
    "simulate",
    "slope",
    "stability_limit",
    "stationary",
    "step",
    "step_moments",
    "stopped",
    "teacher_student",
    "two_wells",
    "usam_attracts",
    "wavy",
    "weak_error",
]
