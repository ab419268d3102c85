"""The protocol of a timed measurement: what runs when, and for how long."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, repeat

import numpy as np

from speedmap.engines.interface import Session

Run = Callable[[str], float]  # runs one input, gives milliseconds
Clock = Callable[[], float]  # seconds


@dataclass(frozen=True)
class Protocol:
    """How long to measure: warm up for `warmup_s`, then at least `min_s` seconds and `min_samples` calls."""

    warmup_s: float
    min_s: float
    min_samples: int


def runner(session: Session, batches: dict[str, np.ndarray]) -> Run:
    """Make a function that runs one of several inputs in an engine, each loaded anew when it changes."""
    loaded = ""

    def run(name: str) -> float:
        nonlocal loaded
        if name != loaded:
            session.load(batches[name])
            loaded = name
        session.occupy()
        return session.run()

    return run


def warm_up(run: Run, inputs: Iterable[str], protocol: Protocol) -> None:
    """Call `run` on the inputs, round and round, for the time of the warm-up, at least once."""
    rounds = cycle(inputs)
    for _ in _until(protocol.warmup_s, 1, time.perf_counter):
        run(next(rounds))


def collect(
    run: Run, inputs: Sequence[str], protocol: Protocol, clock: Clock = time.perf_counter
) -> list[tuple[str, float]]:
    """Call `run` on the inputs, round and round; returns (input, what it gave) in the order of the calls.

    The last round is ended, so that the mix of the inputs is kept, unless that more than doubled the calls.
    """
    rounds, samples = cycle(inputs), []
    for _ in _until(protocol.min_s, protocol.min_samples, clock, len(inputs)):
        item = next(rounds)
        samples.append((item, run(item)))
    return samples


def _until(seconds: float, count: int, clock: Clock, size: int = 1) -> Iterator[None]:
    """Yield until both the seconds have passed and the count is reached, and to the end of a round of some size."""
    start, done = clock(), 0
    while done < count or clock() - start < seconds:
        yield
        done += 1
    rest = -done % size
    yield from repeat(None, rest if rest <= done else 0)
