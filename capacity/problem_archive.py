"""A yard problem as bytes and back, so that another process can solve it again with something changed."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from capacity.problem import PlanWeights, SharedLimit, WaitingSpace, YardProblem

HEADER: Final = "header"
Arrays = dict[str, NDArray[np.generic]]
Part = TypeVar("Part", YardProblem, WaitingSpace, SharedLimit)


@dataclass(frozen=True)
class ArchivedProblem:
    """A problem whose steps begin at `made_at`."""

    made_at: datetime
    problem: YardProblem


def pack(made_at: datetime, problem: YardProblem) -> bytes:
    """The problem as a compressed archive of its arrays (NumPy's npz), with a header in JSON."""
    header = {
        "made_at": made_at.isoformat(),
        "step_s": problem.step_s,
        "yard_ids": problem.yard_ids,
        "weights": dataclasses.asdict(problem.weights),
    }
    arrays = _arrays(problem)
    for name in ("waiting", "shared"):
        part = getattr(problem, name)
        if part is not None:
            arrays |= {f"{name}.{key}": array for key, array in _arrays(part).items()}
    out = io.BytesIO()
    np.savez_compressed(out, **{HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def unpack(archive: bytes) -> ArchivedProblem:
    """A problem out of `pack`."""
    with np.load(io.BytesIO(archive), allow_pickle=False) as found:
        arrays: Arrays = {name: found[name] for name in found.files if name != HEADER}
        header = json.loads(found[HEADER].tobytes())
    waiting, shared = _part(WaitingSpace, "waiting.", arrays), _part(SharedLimit, "shared.", arrays)
    problem = YardProblem(
        step_s=header["step_s"],
        yard_ids=tuple(header["yard_ids"]),
        weights=PlanWeights(**header["weights"]),
        waiting=waiting,
        shared=shared,
        **{name: array for name, array in arrays.items() if "." not in name},  # type: ignore[arg-type]
    )
    return ArchivedProblem(datetime.fromisoformat(header["made_at"]), problem)


def _arrays(part: YardProblem | WaitingSpace | SharedLimit) -> Arrays:
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _part(kind: type[Part], prefix: str, arrays: Arrays) -> Part | None:
    found = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return kind(**found) if found else None  # type: ignore[arg-type]
