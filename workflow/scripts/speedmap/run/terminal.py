"""What a run shows where Snakemake's own lines go to its log: one line of progress, and what a person must know."""

import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from speedmap.run import job
from speedmap.run.progress import Progress

OURS = logging.getLogger("snakemake.logging.speedmap")  # for what a run has to say to a person
CLEAR = "\r\x1b[K"
TICK_S, HEARTBEAT_S = 1.0, 60.0  # in which the line is drawn anew; in which a log without a terminal gets a line
PLACE = re.compile(r"^\w+( in .*)?:$|^  File \"")  # where in the workflow an error came up
UNOPENED = re.compile(
    r"Error: \[Errno \d+\] (.+): '(.+)'$"
)  # how Snakemake's traceback of a path that it was given ends
NO_RULE = re.compile(r"(No rule to produce \S+) \(if you use input functions .*")  # advice to who writes rules
CONFIG = "onfig file "  # in what Snakemake says where it could read none, without its name
CONFIGS = {".yaml", ".yml", ".json"}
NOTHING = "Nothing to be done"
MAYBE = "measure_again is there in case: it takes again what something disturbs, and of nothing takes no time."
TELLING = "measure again"  # the step that waits, and says for what: its last line is shown
TAIL = 4096  # bytes of the log in which that is looked for


class Terminal:
    """Draws a line of progress on a terminal, or writes one a job elsewhere; other output of jobs goes to the log."""

    def __init__(self, dry: bool = False, clock: Callable[[], float] = time.monotonic, stream: IO | None = None):
        self.progress, self.clock, self.dry = Progress(), clock, dry
        self.out = stream or os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
        self.drawn = self.out.isatty()
        self.saved: int | None = None  # where the output of jobs went before it went to the log
        self.log: str | None = None
        self.planned = False
        self.failed: set[int] = set()  # jobs that were not done after all
        self.errors, self.said = [], 0.0
        self.lock, self.stop = threading.RLock(), threading.Event()
        self.takers = {"run_info": self._plan, "job_info": self._begin, "job_finished": self._end,
                       "job_error": self._fail, "error": self._error}  # fmt: skip

    def take(self, record: logging.LogRecord) -> None:
        """Show what a record says that Snakemake logs, as far as a person must know it."""
        with self.lock:
            event = getattr(record, "event", None)
            if event is not None:
                self.takers.get(str(event), lambda _record: None)(record)
            elif record.name == OURS.name or record.levelno == logging.WARNING or NOTHING in str(record.msg):
                self.say(record.getMessage())
            elif record.levelno > logging.WARNING:
                self._error(record)

    def say(self, text: str) -> None:
        """Write lines that stay, above the one of progress."""
        self.out.write(f"{CLEAR if self.drawn else ''}{text.rstrip()}\n")
        self._draw()

    def _plan(self, record) -> None:
        jobs = {rule: count for rule, count in record.stats.items() if rule not in ("total", "all")}
        if self.planned:  # of a dry run Snakemake says it twice
            return
        self.planned = True
        if self.dry:
            self.say(f"{record.msg}\n\n{MAYBE}" if "measure_again" in jobs else str(record.msg))
        else:
            self.progress.plan(jobs, self.clock())
            self._leave_the_rest_to_the_log()
            self.say(self.progress.count(f"steps planned; Snakemake's own words go to {self.log}", self.clock()))
            threading.Thread(target=self._tick, daemon=True).start()

    def _begin(self, record) -> None:
        if not self.dry:
            self.progress.begin(record.jobid, record.rule_name, record.wildcards or {}, self.clock())
            self._draw()

    def _end(self, record) -> None:
        ended = self.progress.end(record.job_id, self.clock())
        self.failed.discard(record.job_id)  # a profile's retries
        if ended and not self.drawn and ended.rule != "all":
            now = self.clock()
            self.say(self.progress.count(f"{ended}, {now - ended.since:.0f} s", now))
            self.said = now
        self._draw()

    def _fail(self, record) -> None:
        self.progress.end(record.jobid, self.clock(), well=False)
        self.failed.add(record.jobid)
        logs = list(map(str, record.log))
        reason = next(filter(None, (job.said(Path(path)) for path in logs)), "it was ended, or did not say why")
        self.say(f"failed: {record.rule_name.replace('_', ' ')}: {reason}; log: {', '.join(logs)}")

    def _error(self, record) -> None:
        """Keep an error of Snakemake itself, without where it came up, until it is known whether a job's is behind."""
        lines = [line for line in record.getMessage().splitlines() if line and not PLACE.match(line)]
        lines = [
            NO_RULE.sub(r"\1; correct its name, or give the --configfile that has its cell", line) for line in lines
        ]
        words = [word.rpartition("=")[2] for word in sys.argv]
        if (unopened := UNOPENED.search(record.getMessage())) and unopened[2] in words:
            lines = [f"{unopened[2]}: {unopened[1]}; correct the path"]
        elif CONFIG in record.getMessage():
            lines = _unreadable(words) or lines
        self.errors.append("\n".join(lines or [record.getMessage()]))

    def _draw(self) -> None:
        if self.drawn and self.progress.total and not self.stop.is_set():
            width = shutil.get_terminal_size().columns - 1
            self.out.write(f"{CLEAR}{self._line()[:width]}")
        self.out.flush()

    def _line(self) -> str:
        line = self.progress.line(self.clock())
        return f"{line}; {self._last_words()}" if TELLING in line and self.log else line

    def _last_words(self) -> str:
        """Return the last line of the log, which is that of a step that runs alone."""
        with Path(self.log).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            return file.read().decode("utf-8", "replace").rstrip().rpartition("\n")[2]

    def _tick(self) -> None:
        """Show that long steps live: on a terminal by their seconds, elsewhere by a line now and then."""
        while not self.stop.wait(TICK_S):
            with self.lock:
                now = self.clock()
                if self.drawn:
                    self._draw()
                elif self.progress.running and now - max(self.said, self.progress.begun) > HEARTBEAT_S:
                    self.say(self._line())
                    self.said = now

    def _leave_the_rest_to_the_log(self) -> None:
        """Let what jobs write, warnings of libraries and bars, go where Snakemake's own log is."""
        handlers = logging.getLogger("snakemake.logging").handlers
        self.log = next((path for handler in handlers if (path := getattr(handler, "baseFilename", None))), None)
        if self.log:
            file = os.open(self.log, os.O_WRONLY | os.O_APPEND)
            self.saved = os.dup(2)
            os.dup2(file, 2)
            os.close(file)
            here = Path.cwd()
            self.log = str(Path(self.log).relative_to(here) if Path(self.log).is_relative_to(here) else self.log)

    def close(self) -> None:
        """Give the terminal back, and say at last what was wrong: the errors of Snakemake only where no job failed."""
        with self.lock:
            if self.stop.is_set():
                return
            self.stop.set()
            if self.saved is not None:
                os.dup2(self.saved, 2)
                os.close(self.saved)
            if self.failed:
                steps = "1 step" if len(self.failed) == 1 else f"{len(self.failed)} steps"
                self.errors = [f"{steps} failed; the same command goes on. Snakemake's own words are in {self.log}"]
            for text in self.errors:
                self.say(f"error: {text}")
            self.out.write(CLEAR if self.drawn else "")
            self.out.flush()


def _unreadable(words: Iterable[str]) -> list[str]:
    """Return what is wrong with the first config file among a command's words that Snakemake cannot read."""
    from speedmap.run import config_files  # needs what showing lines does not

    try:
        config_files.check_readable(word for word in words if Path(word).suffix in CONFIGS and Path(word).is_file())
    except config_files.ConfigError as error:
        return [str(error)]
    return []
