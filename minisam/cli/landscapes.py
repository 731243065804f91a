"""Figures of where training goes: two wells, trajectories in a plane, lines between solutions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from minisam import optimizers, plots, sam
from minisam.arrays import Array
from minisam.cli.laboratory import Laboratory
from minisam.experiments import measured_loss
from minisam.nn import cross_entropy
from minisam.sharpness import (
    Landscape,
    barrier,
    descend,
    interpolation,
    landscape,
    principal_directions,
    project_trajectory,
    two_wells,
)

START, STEPS, RATE = (0.1, -0.8), 1500, 0.02
"""Of the descent in the two wells, which begins near the sharp one."""
RADIUS = 0.15
"""With which SAM leaves it."""
GRID = 31
CLOSE = 1.5
"""The half-width of the close-up, in distances between the two ends."""


def wells(_: Laboratory, path: Path) -> tuple[list[str], tuple[Path, Path]]:
    """Draw gradient descent and SAM from one start, beside a sharp and a flat well."""
    paths, shown = {}, []
    for name, method in (("GD", sam.ERM()), (f"SAM, ρ = {RADIUS:g}", sam.SAM(RADIUS))):
        points = descend(two_wells, np.array(START), method, optimizers.SGD(RATE), STEPS)
        paths[name] = points
        x, y = points[-1]
        shown.append(f"{name}: ends at ({x:.2f}, {y:.2f}) after {STEPS:,} steps")
    steps = np.linspace(-0.4, 0.4, 81), np.linspace(-1.4, 1.4, 141)
    plane = landscape(two_wells, np.zeros(2), np.eye(2), steps)
    name = "sharp well below, flat well above"
    files = plots.planes_figure(
        {name: plane}, path, paths={name: paths}, labels=("x, across the valley", "y, along it")
    )
    return shown, files


def trajectories(laboratory: Laboratory, path: Path) -> tuple[list[str], tuple[Path, Path]]:
    """Draw the ways of ERM and SAM from one start, in the plane that they stay closest to."""
    ways = {name: laboratory.way(name) for name in ("ERM", "SAM")}
    whole = np.concatenate([ways["SAM"], ways["ERM"]])  # the origin is the end of ERM
    directions, explained = principal_directions(whole)
    loss = _train_loss(laboratory, whole[-1])
    seen = {name: project_trajectory(way, whole[-1], directions) for name, way in ways.items()}
    paths = {name: each.coordinates for name, each in seen.items()}
    points = np.concatenate(list(paths.values()))
    ends = np.array([coordinates[-1] for coordinates in paths.values()])
    middle, half = ends.mean(axis=0), CLOSE * float(np.linalg.norm(ends[1] - ends[0]))
    margin = 0.08 * np.ptp(points, axis=0)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    windows = {
        "from the start": np.stack([low, high]),
        "around the ends": np.stack([middle - half, middle + half]),
    }
    planes = {
        title: landscape(loss, whole[-1], directions, list(np.linspace(a, b, GRID).T))
        for title, (a, b) in windows.items()
    }
    labels = tuple(f"principal direction {i} ({x:.0%})" for i, x in enumerate(explained, 1))
    shown = [
        f"{name}: {each.fraction:.0%} of the distances to ERM's end (rms) is outside of the plane"
        for name, each in seen.items()
    ]
    files = plots.planes_figure(
        planes,
        path,
        paths=dict.fromkeys(planes, paths),
        labels=(labels[0], labels[1]),
        title=f"{laboratory.title(1)}: a point after each epoch",
    )
    return shown, files


def interpolations(laboratory: Laboratory, path: Path) -> tuple[list[str], tuple[Path, Path]]:
    """Draw the losses on the line from ERM to SAM, and to ERM from another start."""
    start = laboratory.way("ERM")[-1]
    others = {
        "ERM (0) to SAM (1), from the same start": laboratory.way("SAM")[-1],
        "ERM (0) to ERM (1), from another start": laboratory.way("ERM", other=1)[-1],
    }
    examples, model = laboratory.data[0], laboratory.model
    train_loss = _train_loss(laboratory, start)

    def test_loss(w: Array) -> Array:
        return np.mean(cross_entropy(model(w, examples.x_test), examples.y_test))

    panels: dict[str, dict[str, Landscape]] = {}
    shown = []
    for label, end in others.items():
        lines = {
            "train": interpolation(train_loss, start, end),
            "test": interpolation(test_loss, start, end),
        }
        panels[label] = lines
        heights = " and ".join(f"{barrier(line):.3g} ({name})" for name, line in lines.items())
        apart = np.linalg.norm(end - start)
        shown.append(f"{label}: {apart:.3g} apart, barrier {heights}")
    return shown, plots.slices_figure(panels, path, title=laboratory.title(1))


def _train_loss(laboratory: Laboratory, w: Array) -> Callable[[Array], Array]:
    return measured_loss(laboratory.model, laboratory.data[0], w)
