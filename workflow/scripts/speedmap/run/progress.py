"""How far a run is, in one line: what is being done, how many of how many, about how long."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from speedmap.run import duration


@dataclass
class Job:
    """A job that runs: its rule, what it is about, and since when."""

    rule: str
    about: str
    since: float

    def __str__(self) -> str:
        return f"{self.rule.replace('_', ' ')} {self.about}".rstrip()


@dataclass
class Progress:
    """The jobs of a run as they begin and end; times in seconds of one clock."""

    waiting: Counter = field(default_factory=Counter)
    running: dict[int, Job] = field(default_factory=dict)
    taken: dict[str, list[float]] = field(default_factory=dict)
    begun: float = 0.0
    total: int = 0

    def plan(self, jobs: Mapping[str, int], now: float) -> None:
        """Take the number of jobs of each rule."""
        self.waiting = Counter(jobs)
        self.begun, self.total = now, sum(jobs.values())

    def begin(self, job: int, rule: str, wildcards: Mapping[str, str], now: float) -> None:
        self.running[job] = Job(rule, about(wildcards), now)
        self.waiting[rule] = max(self.waiting[rule] - 1, 0)

    def end(self, job: int, now: float, well: bool = True) -> Job | None:
        """Take note that a job has ended; returns it, None if it was not known."""
        ended = self.running.pop(job, None)
        if ended and well:
            self.taken.setdefault(ended.rule, []).append(now - ended.since)
        return ended

    @property
    def done(self) -> int:
        return sum(map(len, self.taken.values()))

    def left(self, now: float) -> float:
        """Return about how many seconds are left, with as many jobs side by side as there were so far."""
        still = Counter(job.rule for job in self.running.values())
        spent = sum(now - job.since for job in self.running.values())
        alone = duration.left(self.waiting, self.taken) + max(duration.left(still, self.taken) - spent, 0)
        worked = spent + sum(map(sum, self.taken.values()))
        return alone * min((now - self.begun) / worked, 1) if worked else alone

    def line(self, now: float) -> str:
        """Write how far the run is: [38/130] verify engine openvino/a-int8-static, 12 s; about 9 min left."""
        if not self.running:
            return self.count("starting the next step", now)
        first = min(self.running.values(), key=lambda job: job.since)
        others = f" and {len(self.running) - 1} more" if len(self.running) > 1 else ""
        return self.count(f"{first}{others}, {now - first.since:.0f} s", now)

    def count(self, text: str, now: float) -> str:
        """Write a text between how many jobs are done and how long the others take, if that can be told."""
        left = self.left(now)
        return f"[{self.done}/{self.total}] {text}{f'; about {duration.words(left)} left' if left >= 1 else ''}"


def about(wildcards: Mapping[str, str]) -> str:
    """Name what a job is about by its wildcards: a cell, a model, a file."""
    parts = dict(wildcards)
    cell = "-".join(parts.pop(name) for name in ("model", "precision", "shape") if name in parts)
    backend, build = parts.pop("backend", ""), parts.pop("build", "")
    named = "/".join(filter(None, (backend, cell + build)))
    return " ".join(filter(None, (named, *map(str, parts.values()))))
