"""About how long jobs take: what is known beforehand, corrected by a run's own jobs."""

from collections.abc import Mapping

# Seconds of a job of the default run on two quiet cores with OpenVINO: a start, since a run soon goes by its own jobs.
TYPICAL = {
    "check_dataset": 2, "convert_labels": 1, "read_weights": 4, "export_onnx": 13, "calibrate": 12, "choose_float": 13,
    "type_fp16": 1, "type_int8": 3, "build_engine": 2, "verify_engine": 2, "measure_speed": 8, "measure_speedup": 4,
    "measure_accuracy": 8, "measure_again": 30, "measure_peaks": 8, "render_table": 1, "render_report": 7,
}  # fmt: skip
ALONE = {"measure_speed", "measure_speedup", "measure_accuracy", "measure_again", "measure_peaks"}  # on their machine
CORES = 2  # on which a run is forecast
OTHER = 5.0  # of steps that are not listed
DEAR = 4.0  # jobs that are known count as much as so many guesses, when these are scaled


def planned(jobs: Mapping[str, int]) -> float:
    """Return about how many seconds a run takes on CORES, by what is known beforehand; jobs: of each rule."""
    alone = {rule: count for rule, count in jobs.items() if rule in ALONE}
    return work(alone) + (work(jobs) - work(alone)) / CORES


def work(jobs: Mapping[str, int]) -> float:
    """Return about how many seconds jobs take one after another, by what is known beforehand; jobs: of each rule."""
    return sum(count * TYPICAL.get(rule, OTHER) for rule, count in jobs.items())


def left(waiting: Mapping[str, int], taken: Mapping[str, list[float]]) -> float:
    """Return about how many seconds the waiting jobs of each rule take one after another.

    taken: seconds of the jobs that have ended, by rule. A rule that has ended jobs takes their mean; others are scaled
    by how much longer than typical all of these took.
    """
    seconds = sum(map(sum, taken.values()))
    scale = (seconds + DEAR) / (work({rule: len(jobs) for rule, jobs in taken.items()}) + DEAR)
    known = {rule: sum(jobs) / len(jobs) for rule, jobs in taken.items() if jobs}
    return sum(count * known.get(rule, scale * TYPICAL.get(rule, OTHER)) for rule, count in waiting.items())


def words(seconds: float) -> str:
    """Write a time for people, who plan in minutes: 40 s, 3 min, 1 h 20 min."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
