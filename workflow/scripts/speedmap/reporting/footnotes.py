"""The small numbers in the tables: one a kind of doubt, whatever its figures in each cell."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import structs

from speedmap.results import findings
from speedmap.results import timing_findings as timing
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import Finding
from speedmap.results.timing_findings import Disturbance, Imprecise, OtherGpusBusy, Unstable, Unwatched

MOST = 8  # footnotes under a table
LISTED = 3  # sentences of one kind that differ in more than figures

WORDS: dict[type[Finding], str] = {  # in the order in which they are numbered
    timing.Throttled: "throttled: {reason}",
    timing.ClockChanged: "{clock} clock changed by more than {limit:.0%}: {low} to {high} MHz",
    timing.ForeignProcess: "foreign process on the GPU: {pid}{name}",
    timing.OthersUsedCpu: "other processes used {share:.0%} of the CPU",
    timing.HalvesDiffer: "unstable: the halves of the run differ by {change:.1%} in the median",
    timing.TwoLevels: "unstable: two levels, {apart:.1%} of the median apart, {lower:.0%} of the run on the lower",
    timing.WideInterval: "imprecise: the median is known to {half:.1%} only",
    timing.ShapeGap: "imprecise: the median lies at a gap of {gap:.1%} between input shapes",
    timing.WatcherDied: "watcher died: {error}",
    timing.NoSamples: "watcher took no samples",
    timing.NotWatched: "not watched: {counter} (this GPU or virtual machine does not tell)",
    timing.OtherGpusBusy: "other GPUs of the host were at work meanwhile",
    findings.WrongPrecision: "asked for {asked} but runs {shares}",
    findings.ScoresDisagree: "scores disagree with the float32 graph (cosine {cosine:.3f})",
    findings.SumsSaturate: "this CPU, without VNNI, adds products of INT8 in 16 bits, where they saturate, which may "
    "be why: leave more layers in float (int8.least_share: 0.75), or measure where /proc/cpuinfo lists avx512_vnni or "
    "avx_vnni",
    findings.BoxesDisagree: "boxes disagree with the float32 graph (overlap {overlap:.3f})",
    findings.DifferentEngines: "speed and mAP come from different engines",
    findings.NotVerified: "the engine was not verified",
    findings.JobFailed: "{message}",
    findings.NoBoxes: "the data set has no boxes to evaluate the mAP on",
    findings.Int8Slower: "INT8 is slower than {than}{level}: {ratio:.3f} times as fast ({low:.3f} to {high:.3f}, "
    "{turns}){more}",
    findings.NotCompared: "INT8 is not compared with {than}: the figures of {runs} cannot be quoted",
    findings.MixedPrecision: "runs {shares} of its multiply-adds",
    findings.TargetMissed: "INT8 changes the output by {reached:.4g}, int8.target is {target:g}: the least found, with "
    "{int8_share:.1%} in INT8",
    findings.OfTurns: "INT8 and its float engine, taking turns: {finding}",
    findings.OfBuild: "build {number}{invalid}: {finding}",
    findings.BoxesOutside: "{outside} of {boxes} boxes lie outside of their image",
    findings.NoDetections: "no detections at all",
}
KINDS = list(WORDS)
FAMILIES: list[tuple[type[Finding], ...]] = [  # at most MOST, of which each finding belongs to the first that has it
    (Unstable,),
    (Disturbance,),
    (Imprecise,),
    (Unwatched, timing.NotWatched, OtherGpusBusy),
    (findings.WrongPrecision, findings.ScoresDisagree, findings.SumsSaturate, findings.BoxesDisagree,
     findings.DifferentEngines),
    (findings.NotVerified, findings.JobFailed, findings.NoBoxes),
    (findings.Int8Slower, findings.NotCompared, findings.OfTurns, findings.MixedPrecision,
     findings.TargetMissed),
    (Finding,),
]  # fmt: skip
ENDS = {"low": min, "high": max}  # of intervals, which become one
NAMES = {"pid", "number", "level", "turns", "invalid"}  # numbers that name something


class Span:
    """A figure of several findings, written from its least to its largest value."""

    def __init__(self, values: Iterable[float]) -> None:
        self.low, self.high = min(values := list(values)), max(values)

    def __format__(self, style: str) -> str:
        low, high = format(self.low, style), format(self.high, style)
        return low if low == high else f"{low} to {high}"


def words(finding: Finding) -> str:
    """Write a finding for a reader."""
    return _sentence([finding])


def has_figures(finding: Finding) -> bool:
    """Return whether a finding says more of a cell than its mark does."""
    return "{" in WORDS[type(finding)]


def together(said: Iterable[Finding]) -> str:
    """Write findings of one kind for a reader: figures from the least to the largest, what else differs one by one."""
    alike = defaultdict(list)
    for finding in said:
        alike[_names(finding)].append(finding)
    sentences = list(dict.fromkeys(map(_sentence, alike.values())))
    more = [f"and {len(sentences) - LISTED} more"] if len(sentences) > LISTED else []
    return "; ".join(sentences[:LISTED] + more)


def _names(finding: Finding) -> str:
    """Return all of a finding but its figures."""
    return repr({name: _name(name, value) for name, value in structs.asdict(finding).items()})


def _name(field: str, value: object) -> object:
    if isinstance(value, int | float) and field not in NAMES:
        return None
    if isinstance(value, Finding):
        return type(value), _names(value)
    return sorted(value) if isinstance(value, dict) else value


def _sentence(alike: Sequence[Finding]) -> str:
    """Write findings that differ in nothing but figures."""
    fields = alike[0].__struct_fields__
    figures = {name: _joined(name, [getattr(finding, name) for finding in alike]) for name in fields}
    figures |= {name: PHRASES[name](value) for name, value in figures.items() if name in PHRASES}
    return WORDS[type(alike[0])].format(**figures)


def _joined(field: str, values: list) -> object:
    if field in ENDS:
        return ENDS[field](values)
    if isinstance(values[0], Finding):
        return _sentence(values)
    if isinstance(values[0], dict):
        return {key: Span(value[key] for value in values) for key in values[0]}
    return Span(values) if isinstance(values[0], int | float) and field not in NAMES else values[0]


def _shares(shares: dict[str, Span]) -> str:
    ordered = sorted(shares.items(), key=lambda item: -item[1].high)
    return ", ".join(f"{share:.0%} {name}" for name, share in ordered)


def _level(level: int | None) -> str:
    return "" if level is None else f" at builder level {level}"


def _more(kinds: dict[str, Span] | None) -> str:
    """Write why a precision is slower, if its layers tell."""
    if not kinds:
        return "; its layers were not timed" if kinds is None else "; its layers do not tell why"
    named = ", ".join(f"{name} ({ms:+.2f} ms)" for name, ms in kinds.items())
    return f" because of {named}, as its layers show, profiled one by one"


def _invalid(invalid: bool) -> str:
    return " is invalid" if invalid else ""


def _process(name: str) -> str:
    return f" ({name})" if name else ""


def _turns(turns: bool) -> str:
    return "taking turns" if turns else "each timed alone"


PHRASES = {  # of figures
    "shares": _shares, "name": _process, "level": _level, "invalid": _invalid, "than": str.upper,
    "more": _more, "turns": _turns, "runs": " and ".join,
}  # fmt: skip


class Notes:
    """The footnotes of a page: each kind of finding has a number and stands once below the tables.

    Where there are more than MOST kinds, those of a family share a number.
    """

    def __init__(self, said: Iterable[Finding]) -> None:
        groups = defaultdict(list)
        for finding in said:
            groups[KINDS.index(type(finding))].append(finding)
        parts: dict[int, list[list[Finding]]] = defaultdict(list)
        for number, kind in enumerate(sorted(groups), 1):
            parts[number if len(groups) <= MOST else _family(groups[kind][0])].append(groups[kind])
        self._parts = [parts[key] for key in sorted(parts)]
        self._numbers = {type(group[0]): number for number, part in enumerate(self._parts, 1) for group in part}

    def mark(self, said: Iterable[Finding]) -> str:
        """Return the marks for some findings of the page."""
        numbers = sorted({self._numbers[type(finding)] for finding in said})
        return f"<sup>{','.join(map(str, numbers))}</sup>" if numbers else ""

    def lines(self) -> list[str]:
        texts = ("; ".join(map(together, part)) for part in self._parts)
        return ["\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))] if self._parts else []


def _family(finding: Finding) -> int:
    return next(index for index, kinds in enumerate(FAMILIES) if isinstance(finding, kinds))


def said(row: CellResult) -> list[Finding]:
    """Return all that a page says of a cell, at its speed and at its mAP."""
    if row.invalid:
        return row.invalid
    return [*row.failed, *row.warnings, *row.remarks]
