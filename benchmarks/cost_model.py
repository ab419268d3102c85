"""Show how long a matrix takes on one, four and sixteen GPUs: Snakemake runs it, with jobs that sleep as measured.

    python benchmarks/cost_model.py results/published/h100-tensorrt8.6 --config config/coco.yaml --images 5000

The jobs, what they depend on, their threads and GPUs come from a dry run of the real workflow. Their seconds are those
of the same build, else the median of their rule by `runs` in its records. Detection grows with --images. Prints what a
rule costs, which rules have no measured time and so take none, and a line a scenario. Time is sped up by --scale;
Snakemake's own work is not, so a large scale overstates.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

from speedmap.results import records
from speedmap.results.checks import measured
from speedmap.results.measured import Accuracy, Run, Speed
from speedmap.results.prepared import Engine

ROOT = Path(__file__).parents[1]
SCENARIOS = {
    "1 GPU, 16 cores": ["--cores", "16", "--resources", "gpu=1"],
    "4 GPUs of one host, 64 cores": ["--cores", "64", "--resources", "gpu=4"],
    "4 GPUs of one host, timed side by side": [
        "--cores", "64", "--resources", "gpu=4", "--set-threads", "measure_speed=16",
    ],
    "16 nodes of 1 GPU and 16 cores": ["--cores", "256", "--resources", "gpu=16", "--max-threads", "16"],
}  # fmt: skip
RULES = {"speed": "measure_speed", "accuracy": "measure_accuracy"}
TORCH = " (torch)"  # after the name of a rule whose job runs torch


@dataclass(frozen=True)
class Job:
    """A planned job."""

    rule: str
    input: list[str]
    output: list[str]
    threads: int
    gpu: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--config", type=Path, default=ROOT / "config/coco.yaml")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--scale", type=float, default=50)
    options = parser.parse_args()
    known = Measured(options.results, options.images)
    for name, arguments in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as folder:
            jobs = plan(Path(folder), options.config, known.platform, arguments)
            seconds = {job.output[0]: known.seconds(job) for job in jobs}
            if name == next(iter(SCENARIOS)):
                print(costs(jobs, seconds))
            wall = run(Path(folder), jobs, seconds, options.scale, arguments)
        print(f"| {name} | {wall / 60:.0f} min | {sum(seconds.values()) / wall:.1f} |", flush=True)


class Measured:
    """What is known of how long jobs take, in seconds."""

    def __init__(self, results: Path, images: int) -> None:
        engines = {path.parent.name: records.read(path, Engine) for path in results.glob("*/*/engine.json")}
        self.platform = next(iter(engines.values())).platform
        self.builds = {name: engine.build_s for name, engine in engines.items()}
        self.rules = self._timed(results, images)
        accuracy = RULES["accuracy"]
        self.rules.setdefault(accuracy + TORCH, self.rules[accuracy])  # where torch's own was not measured

    def _timed(self, results: Path, images: int) -> dict[str, float]:
        """Take the median of each rule that leaves a record, for as many images as are to be detected in."""
        found: dict[str, list[float]] = {}
        for rule, record in self._records(results):
            took = sum(map(_seconds, record.runs))
            detects = rule.startswith(RULES["accuracy"])
            grows = images / record.dataset.images if detects else 1
            found.setdefault(rule, []).append(took * grows)
        return {rule: median(times) for rule, times in found.items()}

    def _records(self, results: Path) -> Iterator[tuple[str, Speed | Accuracy]]:
        """Return the records but those that came about without a GPU, which tell nothing of one with."""
        for kind in RULES:
            for path in results.glob(f"*/*/{kind}.json"):
                record = measured(path)
                if any(run.gpu is None for run in record.runs):
                    continue
                yield RULES[kind] + TORCH * (record.cell.backend == "torch"), record

    def seconds(self, job: Job) -> float:
        """Return a job's seconds, 0 where nobody measured any."""
        if job.rule == "build_engine":
            return self.builds.get(Path(job.output[0]).parent.name, median(self.builds.values()))
        rule = job.rule + TORCH * job.output[0].startswith("results/torch/")
        return self.rules.get(rule, 0.0)


def _seconds(run: Run) -> float:
    return (datetime.fromisoformat(run.end) - datetime.fromisoformat(run.start)).total_seconds()


def plan(folder: Path, config: Path, platform: dict, arguments: list[str]) -> list[Job]:
    """Plan the table with the real workflow in an empty folder."""
    overlay = folder / "overlay.yaml"
    (folder / "config.yaml").symlink_to(ROOT / "config.yaml")
    overlay.write_text(yaml.safe_dump({"backend": "tensorrt", "platform": platform}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder, *arguments,
               "--configfile", config.resolve(), overlay, "--dry-run", "--nocolor", "--",
               "results/table.md"]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", done.stdout + done.stderr, re.MULTILINE)
    return [_job(rule, dict(re.findall(r"^    (\w+): (.*)$", text, re.MULTILINE))) for rule, text in blocks]


def _job(rule: str, said: dict[str, str]) -> Job:
    gpu = re.search(r"\bgpu=(\d+)", said.get("resources", ""))
    files = {key: [file.split(" ")[0] for file in said.get(key, "").split(", ") if file] for key in ("input", "output")}
    threads = int(said.get("threads", 1))
    return Job(rule, **files, threads=threads, gpu=int(gpu[1]) if gpu else 0)


def costs(jobs: list[Job], seconds: dict[str, float]) -> str:
    """Sum up a plan: a line a rule with its jobs and their seconds, and the rules that count nothing."""
    lines, nothing = ["", "| rule | jobs | s a job | s |", "|---|---|---|---|"], []
    for rule in dict.fromkeys(job.rule for job in jobs):
        taken = [seconds[job.output[0]] for job in jobs if job.rule == rule]
        if sum(taken):
            lines.append(f"| {rule} | {len(taken)} | {sum(taken) / len(taken):.0f} | {sum(taken):.0f} |")
        else:
            nothing.append(rule)
    head = ["", "| scenario | wall time | jobs at once |", "|---|---|---|"]
    return "\n".join([*lines, "", f"not measured, so without time: {', '.join(nothing)}", *head])


def run(folder: Path, jobs: list[Job], seconds: dict[str, float], scale: float, arguments: list[str]) -> float:
    """Let Snakemake run a plan with jobs that sleep; returns the wall time, scaled back, in seconds."""
    made = {file for job in jobs for file in job.output}
    rules = [f"rule all:\n    input: {sorted(made)!r}\n"]
    for number, job in enumerate(jobs):
        inputs = [file for file in job.input if file in made]
        command = f"sleep {seconds[job.output[0]] / scale:.3f}; touch {' '.join(job.output)}"
        rules.append(f"rule {job.rule}_{number}:\n    input: {inputs!r}\n    output: {job.output!r}\n"
                     f"    threads: {job.threads}\n    resources: gpu={job.gpu}\n    shell: {command!r}\n")  # fmt: skip
    (folder / "sleep.smk").write_text("\n".join(rules))
    known = arguments[: arguments.index("--set-threads")] if "--set-threads" in arguments else arguments  # in the plan
    command = [sys.executable, "-m", "snakemake", "--snakefile", folder / "sleep.smk", "--directory", folder, *known,
               "--quiet", "all", "--workflow-profile", "none"]  # fmt: skip
    start = time.monotonic()
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return (time.monotonic() - start) * scale


if __name__ == "__main__":
    main()
