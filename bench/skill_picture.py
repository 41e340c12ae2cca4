"""The picture of the forecast's skill: its mean error by kind of day beside "it stays as it is"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def draw_skill(errors: Mapping[str, tuple[Floats, Floats]], ahead_min: Sequence[float], path: Path) -> None:
    """Write a PNG file; `errors`, by kind of day the mean errors in trucks, of persistence and own, at `ahead_min`."""
    figure = Figure(figsize=(11.0, 2.5), layout="constrained")
    panels = figure.subplots(1, len(errors), sharey=True, squeeze=False)[0]
    for axes, (kind, (same, own)) in zip(panels, errors.items(), strict=True):
        axes.plot(ahead_min, same, "--o", color="#888888", label="it stays as it is")
        axes.plot(ahead_min, own, "-o", color="#0b7285", label="forecast")
        axes.set(title=kind, xlabel="min ahead", xticks=ahead_min)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean error, trucks")
    panels[0].legend(fontsize="small")
    figure.savefig(path, dpi=100)
