"""Where on the road a queue of a gate stands."""

from __future__ import annotations

from geo.corridor import Corridor, Road


def queue_line(corridor: Corridor, gate_id: str, tail_km: float) -> list[tuple[float, float]]:
    """Where a queue of a gate stands: points (lon, lat) from its barrier inland to the tail.

    Kilometres go on along the road that leads to the gate's own: where it begins, upstream pieces are added until
    `tail_km` is reached. One point or none if there is no queue.
    """
    gate = corridor.get_site(gate_id)
    barrier = next((b for b in corridor.barriers(gate_id) if b.attributes.get("number") == 1), gate)
    pieces = [r for r in corridor.roads if r.direction == "to_border"]
    piece = next((r for r in pieces if r.road == barrier.road and r.km_to <= barrier.km < r.km_from), None)
    km, near_km = barrier.km, barrier.km
    line: list[tuple[float, float]] = []
    while piece is not None and km < tail_km:
        far_km = km + piece.km_from - near_km
        share = min(1.0, (tail_km - km) / max(far_km - km, 1e-9))
        kms = [near_km + (piece.km_from - near_km) * share * i / 20 for i in range(21)]
        lon, lat = corridor.position(piece.road, kms)
        line += [(round(float(a), 6), round(float(b), 6)) for a, b in zip(lon, lat, strict=True)]
        km = far_km
        piece = _upstream(pieces, piece)
        near_km = piece.km_to if piece is not None else 0.0
    return line


def _upstream(pieces: list[Road], piece: Road) -> Road | None:
    """The piece that leads into `piece`, of the same road if there is one."""
    leading = [r for r in pieces if r.to_node == piece.from_node]
    return min(leading, key=lambda r: r.road != piece.road, default=None)
