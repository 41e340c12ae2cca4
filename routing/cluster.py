"""Studies on a Dask cluster: chunks of runs spread over its workers, wherever they are.

Dask does what a cluster needs: it hands out chunks, and hands those of a lost worker to another. Here is only what it
leaves open: a cluster that cannot be reached, that dies, or that has nobody who works. Any answer to a chunk is the
same answer, so that it does not matter how often one was begun.
"""

from __future__ import annotations

import time
from typing import Final

from distributed import CancelledError, Client, KilledWorker, as_completed

from geo.errors import UnavailableError
from routing.study import Cancelled, Chunk, Progress, Spread, StudyInputs, chunks_of, work_on

CONNECT_S: Final = 10.0
NO_WORKER_S: Final = 30.0
"""How long a study waits for a worker when there is none."""
POLL_S: Final = 0.05
CHECK_S: Final = 1.0


def _compiled(inputs: StudyInputs) -> StudyInputs:
    _ = inputs.study
    return inputs


def _workers(client: Client, address: str) -> int:
    """How many workers there are.

    Raises
    ------
    UnavailableError
        If the scheduler is gone.
    """
    if client.status != "running":
        raise UnavailableError("The Dask scheduler at {address} is gone; the study was stopped.", address=address)
    return len(client.scheduler_info(n_workers=-1)["workers"])


def run_on_cluster(address: str, *, connect_s: float = CONNECT_S, no_worker_s: float = NO_WORKER_S) -> Spread:
    """Work on a study by the workers of a Dask scheduler, such as tcp://10.0.0.1:8786.

    The spread raises UnavailableError if the scheduler cannot be reached or is gone, if there is no worker for
    `no_worker_s`, or if a chunk took several workers down; what a chunk raises is raised as it is.
    """

    def spread(
        inputs: StudyInputs, runs: int, *, progress: Progress | None, cancelled: Cancelled | None
    ) -> list[Chunk] | None:
        _ = inputs.study  # what is wrong with the scenario is said before anybody is asked
        try:
            client = Client(address, timeout=connect_s, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise UnavailableError(
                "The Dask scheduler at {address} cannot be reached: {reason}",
                field="scheduler",
                address=address,
                reason=str(error) or type(error).__name__,
            ) from error
        try:
            return _gather(client, address, inputs, runs, progress, cancelled, no_worker_s)
        finally:
            client.close(timeout=1.0)

    return spread


def _gather(
    client: Client,
    address: str,
    inputs: StudyInputs,
    runs: int,
    progress: Progress | None,
    cancelled: Cancelled | None,
    no_worker_s: float,
) -> list[Chunk] | None:
    numbers = chunks_of(runs)
    # A task, not scattered data: what is lost with a worker is made again by another.
    shared = client.submit(_compiled, inputs, pure=False)
    futures = client.map(work_on, [shared] * len(numbers), numbers, pure=False)
    found: dict[int, Chunk] = {}
    waiting = as_completed(futures, loop=client.loop)
    del futures  # a chunk is given free when it has been read
    seen_at = checked_at = time.monotonic()
    while len(found) < len(numbers):
        if cancelled is not None and cancelled():
            return None
        batch = waiting.next_batch(block=False) if waiting.has_ready() else []
        for future in batch:
            try:
                chunk = future.result()
            except KilledWorker as error:
                raise UnavailableError(
                    "Runs of the study took several workers down; have they enough memory? {reason}", reason=str(error)
                ) from None
            except (CancelledError, OSError):
                raise UnavailableError(
                    "The Dask scheduler at {address} is gone; the study was stopped.", address=address
                ) from None
            found[chunk.first] = chunk
        if batch and progress is not None:
            progress(len(found) / len(numbers))
        now = time.monotonic()
        if now - checked_at >= CHECK_S:
            checked_at = now
            if _workers(client, address):
                seen_at = now
            elif now - seen_at > no_worker_s:
                raise UnavailableError(
                    "The Dask scheduler at {address} has no workers; start some: dask worker {address}",
                    address=address,
                )
        if not batch:
            time.sleep(POLL_S)
    return [found[chunk.start] for chunk in numbers]
