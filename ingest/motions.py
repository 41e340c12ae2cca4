"""What a vehicle is doing, as its last position says: by the site it is in, else by its speed on the road."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from geo.corridor import Corridor
from geo.matching import Status
from geo.motion import Pace, pace

MOTION_OF_SITE: Final = {"yard": "yard", "temporary_yard": "yard", "staging": "staging", "gate": "gate"}
MOTIONS: Final = (*(each.name.lower() for each in Pace), "off_road", "yard", "staging", "gate")
"""The first three are those of `Pace`."""


def motions_of_sites(corridor: Corridor) -> npt.NDArray[np.intp]:
    """Of each site of a corridor, in its order, the motion (an index into `MOTIONS`) of who is in it; -1 if none.

    One more at the end stands for no site, so that an index of -1 finds it.
    """
    kinds = [MOTION_OF_SITE.get(site.kind) for site in corridor.sites.values()]
    return np.array([-1 if kind is None else MOTIONS.index(kind) for kind in kinds] + [-1], np.intp)


def motions(
    of_site: npt.NDArray[np.intp], site: npt.ArrayLike, status: npt.ArrayLike, speed_mps: npt.ArrayLike
) -> npt.NDArray[np.intp]:
    """Motions of places, as indices into `MOTIONS`; the arguments broadcast together, `of_site` as above."""
    on_road = np.where(np.asarray(status) == Status.ON_ROAD, pace(speed_mps), MOTIONS.index("off_road"))
    at_site = of_site[np.asarray(site)]
    return np.where(at_site >= 0, at_site, on_road)
