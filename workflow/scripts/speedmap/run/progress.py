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
    abreast: int = 1  # machines or GPUs on which jobs that have theirs alone were seen at once

    def plan(self, jobs: Mapping[str, int], now: float) -> None:
        """Take the number of jobs of each rule."""
        self.waiting = Counter(jobs)
        self.begun, self.total = now, sum(jobs.values())

    def begin(self, job: int, rule: str, wildcards: Mapping[str, str], now: float) -> None:
        self.running[job] = Job(rule, about(wildcards), now)
        self.waiting[rule] = max(self.waiting[rule] - 1, 0)
        self.abreast = max(self.abreast, len(self._running(True)))

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
        """Return about how many seconds are left: of jobs that are alone, and of others, as many at once as so far."""
        worked = {alone: self._worked(now, alone) for alone in (True, False)}
        others = now - self.begun - worked[True] / self.abreast  # in which these took worked[False] side by side
        share = min(max(others / worked[False], 0), 1) if worked[False] else 1
        return self._left(now, True) / self.abreast + self._left(now, False) * share

    def _running(self, alone: bool) -> list[Job]:
        return [job for job in self.running.values() if (job.rule in duration.ALONE) == alone]

    def _worked(self, now: float, alone: bool) -> float:
        ended = sum(sum(taken) for rule, taken in self.taken.items() if (rule in duration.ALONE) == alone)
        return ended + sum(now - job.since for job in self._running(alone))

    def _left(self, now: float, alone: bool) -> float:
        """Return about how many seconds the jobs that are alone, or the others, take one after another."""
        waiting = {rule: count for rule, count in self.waiting.items() if (rule in duration.ALONE) == alone}
        running = self._running(alone)
        still, spent = Counter(job.rule for job in running), sum(now - job.since for job in running)
        return duration.left(waiting, self.taken) + max(duration.left(still, self.taken) - spent, 0)

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
