"""The small numbers in the tables, and what they stand for."""

from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs

from speedmap.results import findings
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import Finding, Int8Slower, OfBuild
from speedmap.verification import validity

WORDS: dict[type[Finding], str] = {
    findings.HalvesDiffer: "unstable: the halves of the run differ by {change:.1%} in the median",
    findings.TwoLevels: "unstable: two levels, {apart:.1%} of the median apart, {lower:.0%} of the run on the lower",
    findings.WideInterval: "imprecise: the median is known to {half:.1%} only",
    findings.ShapeGap: "imprecise: the median lies at a gap of {gap:.1%} between input shapes",
    findings.WatcherDied: "watcher died: {error}",
    findings.NoSamples: "watcher took no samples",
    findings.Throttled: "throttled: {reason}",
    findings.ClockChanged: "{clock} clock changed by more than {limit:.0%}: {low} to {high} MHz",
    findings.ForeignProcess: "foreign process on the GPU: {pid}{name}",
    findings.OthersUsedCpu: "other processes used {share:.0%} of the CPU",
    findings.OtherGpusBusy: "other GPUs of the host were at work meanwhile",
    findings.NotWatched: "not watched: {counter} (this GPU or virtual machine does not tell)",
    findings.BoxesOutside: "{outside} of {boxes} boxes lie outside of their image",
    findings.NoDetections: "no detections at all",
    findings.WrongPrecision: "asked for {asked} but runs {shares}",
    findings.ScoresDisagree: "scores disagree with the float32 graph (cosine {cosine:.3f})",
    findings.SumsSaturate: "this CPU, without VNNI, adds products of INT8 in 16 bits, where they saturate, which may "
    "be why: leave more layers in float (int8.least_share: 0.75), or measure where /proc/cpuinfo lists avx512_vnni or "
    "avx_vnni",
    findings.BoxesDisagree: "boxes disagree with the float32 graph (overlap {overlap:.3f})",
    findings.DifferentEngines: "speed and mAP come from different engines",
    findings.MixedPrecision: "runs {shares} of its multiply-adds",
    findings.TargetMissed: "INT8 changes the output by {reached:.4g}, int8.target is {target:g}: the least found, with "
    "{int8_share:.1%} in INT8",
    findings.Int8Slower: "INT8 is slower than {than}: conversions cost more than small types save{level}",
    findings.OfBuild: "build {number}{invalid}: {finding}",
    findings.NoBoxes: "the data set has no boxes to evaluate the mAP on",
    findings.NotVerified: "the engine was not verified",
    findings.JobFailed: "{message}",
}


def words(finding: Finding) -> str:
    """Write a finding for a reader."""
    figures = {name: PHRASES.get(name, _itself)(value) for name, value in structs.asdict(finding).items()}
    return WORDS[type(finding)].format(**figures)


def _itself(value: object) -> object:
    return value


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{share:.0%} {name}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))


def _level(level: int | None) -> str:
    return f" (builder level {level}, at which TensorRT does not search for the fastest kernels)" if level == 0 else ""


def _invalid(invalid: bool) -> str:
    return " is invalid" if invalid else ""


def _name(name: str) -> str:
    return f" ({name})" if name else ""


PHRASES = {  # of figures
    "shares": _shares, "name": _name, "level": _level, "invalid": _invalid, "than": str.upper, "finding": words,
}  # fmt: skip


class Notes:
    """The marks of a page: each distinct warning or reason has a number and stands once below the tables."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, said: Iterable[Finding]) -> str:
        """Return the marks for some findings, numbering the new ones."""
        numbers = sorted({self._numbers.setdefault(words(each), len(self._numbers) + 1) for each in said})
        return f"<sup>{','.join(map(str, numbers))}</sup>" if numbers else ""

    def lines(self) -> list[str]:
        return ["\n".join(f"{number}. {text}" for text, number in self._numbers.items())] if self._numbers else []


def remarks(row: CellResult, rows: dict[Cell, CellResult]) -> tuple[Finding, ...]:
    """Return what the reader of a cell's speed should know besides its warnings; rows: all cells of the page."""
    audit = row.speed.audit if row.speed else None
    of_engine = [*validity.mixed(audit.shares), *audit.remarks] if audit else []
    return (*of_engine, *slower(row, rows), *rebuilt(row))


def rebuilt(row: CellResult) -> list[OfBuild]:
    """Return what speaks against the further builds; of one that is worthless, only that."""
    said = []
    for number, record in enumerate(row.builds, 2):
        invalid = [OfBuild(number, reason, True) for reason in record.audit.invalid[:1]]
        said += invalid or [OfBuild(number, warning, False) for warning in record.warnings]
    return said


def slower(row: CellResult, rows: dict[Cell, CellResult]) -> list[Int8Slower]:
    """Return that INT8 is slower than the float engine of the same model and shape, their medians' intervals apart."""
    other = rows.get(replace(row.cell, precision="fp16"))
    if row.cell.precision != "int8" or not row.speed or not other or not other.speed:
        return []
    if row.speed.summary.median_low_ms <= other.speed.summary.median_high_ms:
        return []
    return [Int8Slower(other.precision, row.engine.options.get("builder_level") if row.engine else None)]
