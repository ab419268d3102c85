"""All that is known of each cell, in the detail tables; csv_table has the same unrounded."""

from collections.abc import Callable

import pandas as pd

from speedmap.accuracy import paired_difference
from speedmap.reporting import energy_columns, footnotes, markdown
from speedmap.reporting.footnotes import words
from speedmap.results import timing_findings as timing
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import Finding


def at(path: str, times: int | None = None) -> Callable[[CellResult], object]:
    """Return a column: what stands at a path of attributes of a cell, so many times; None where one on the way is."""

    def column(row: CellResult) -> object:
        value = row
        for name in path.split("."):
            value = None if value is None else getattr(value, name)
        return value if times is None or value is None else times * value

    return column


def against(name: str, part: str | None = None) -> Callable[[CellResult], object]:
    """Return a column: the difference of the mAP to a reference of the cell as text, or a part of it in points."""

    def column(row: CellResult) -> object:
        difference = paired_difference.between(row.accuracy, row.references.get(name))
        return difference and (100 * getattr(difference, part) if part else str(difference))

    return column


def _builds(row: CellResult) -> str | None:
    """Write the least and the largest median of the builds of one graph."""
    return f"{min(row.medians):.3f} to {max(row.medians):.3f}" if len(row.medians) > 1 else None


def _share(row: CellResult) -> float | None:
    """Return the share of the multiply-adds that ran in the cell's precision; torch runs what it says."""
    return row.speed.audit.shares[row.precision] if row.speed and row.cell.backend != "torch" else None


def _doubt(kind: type[Finding], field: str) -> Callable[[CellResult], float | None]:
    """Return a column: the figure of a doubt about the cell's speed."""

    def column(row: CellResult) -> float | None:
        warnings = row.speed.warnings if row.speed else ()
        return next((getattr(warning, field) for warning in warnings if isinstance(warning, kind)), None)

    return column


def _besides(row: CellResult) -> str | None:
    """Write what else is said of a cell: what has a figure, without a column for it."""
    kinds = tuple(kind for kind, _ in DOUBTED.values())
    said = [finding for finding in footnotes.said(row) if footnotes.has_figures(finding)]
    return "; ".join(words(finding) for finding in said if not isinstance(finding, kinds)) or None


Columns = dict[str, Callable[[CellResult], object]]

HEAD: Columns = {
    "cell": at("title"),
    "ran": at("precision"),
}
TIMES: Columns = {
    "p50 ms": at("speed.summary.median_ms"),
    "p90 ms": at("speed.summary.p90_ms"),
    "p99 ms": at("speed.summary.p99_ms"),
    "samples": at("speed.summary.count"),
    "builds ms": _builds,
    "CUDA graph ms": at("graphed.median_ms"),
    "float / INT8": at("speedup.ratio"),
    "from": at("speedup.low"),
    "to": at("speedup.high"),
    "letterbox ms": at("speed.phases.letterbox"),
    "infer ms": at("speed.phases.run"),
    "NMS ms": at("speed.phases.nms"),
    "end-to-end ms": at("speed.phases.end_to_end"),
}
DOUBTED = {  # column -> kind of finding and the field of its figure
    "others' CPU": (timing.OthersUsedCpu, "share"),
    "halves differ": (timing.HalvesDiffer, "change"),
    "levels apart": (timing.TwoLevels, "apart"),
    "known to": (timing.WideInterval, "half"),
    "gap of shapes": (timing.ShapeGap, "gap"),
}
DOUBTS: Columns = {name: _doubt(*figure) for name, figure in DOUBTED.items()} | {"besides": _besides}
REST: Columns = {
    "engine MB": lambda row: row.engine and row.engine.bytes / 1e6,
    "build s": at("engine.build_s"),
    "share": _share,
    "agreement": at("speed.audit.agreement.scores"),
    "mAP": at("accuracy.metrics.map", 100),
    "± mAP": at("accuracy.metrics.map_se", 100),
    "mAP50": at("accuracy.metrics.map50", 100),
    "less torch": against("torch"),
    "less float": against("float"),
    "invalid": lambda row: words(row.invalid[0]) if row.invalid else None,
}
TABLES = {  # on the page; columns and rows without any figure are left out
    "Times": TIMES,
    "Doubts": DOUBTS,
    "Engines and mAP": REST,
    "Energy and memory": energy_columns.COLUMNS,
}
COLUMNS = HEAD | TIMES | DOUBTS | REST | energy_columns.COLUMNS
FINDINGS = {*HEAD, "engine MB", "build s", "share", "agreement", "invalid"}  # all that an invalid cell shows
FORMATS = {"p50 ms": ".3f", "p90 ms": ".3f", "p99 ms": ".3f", "samples": ".0f", "engine MB": ".1f", "build s": ".1f",
           "float / INT8": ".3f", "from": ".3f", "to": ".3f", "share": ".1%", "agreement": ".4f",
           "others' CPU": ".0%"} | dict.fromkeys(list(DOUBTED)[1:], ".1%") | energy_columns.FORMATS  # fmt: skip
PLAIN = ".2f"  # where FORMATS says nothing


NOTE = (
    "builds ms: least and largest median of the engines built from one graph. float / INT8: how many times as fast "
    "INT8 is as the float engine (the FP16 cell, whatever it ran in), by engines that take turns, with its 95% "
    "interval. others' CPU: share of all processors that other processes took during the run; halves differ, levels "
    "apart, known to, gap of shapes: relative to the median. infer ms: as p50, but by the host's clock and amid the "
    "other phases. share: of the multiply-adds that ran in the precision under `ran`. agreement: cosine between the "
    "scores and those of the float32 graph. ± mAP: standard error over other images like these. less torch, less "
    "float: difference of the mAP with the same input shape, and its standard error, paired by image; ≈ means that it "
    "is within two of these."
)


def frame(rows: list[CellResult], columns: Columns, findings: set[str]) -> pd.DataFrame:
    """List every cell with every column, unrounded; an invalid cell has no figures, only some findings."""
    shown = [findings if row.invalid else set(columns) for row in rows]
    lines = [
        {name: value(row) if name in names else None for name, value in columns.items()}
        for row, names in zip(rows, shown, strict=True)
    ]
    return pd.DataFrame(lines).astype({"samples": "Int64"})  # whole also where a cell has none


def render(rows: list[CellResult]) -> str:
    """Write the detail tables and what their columns mean."""
    table = frame(rows, COLUMNS, FINDINGS)
    shown = pd.DataFrame({name: [_shown(value, FORMATS.get(name, PLAIN)) for value in table[name]] for name in table})
    parts = [f"### {title}\n\n{text}" for title, names in TABLES.items() if (text := _table(shown, names))]
    more = [energy_columns.NOTE] if shown[list(energy_columns.COLUMNS)].any(axis=None) else []
    return "\n\n".join(["## Details", *parts, " ".join((NOTE, *more))])


def _shown(value: object, style: str) -> str:
    if isinstance(value, str):
        return value
    return "" if pd.isna(value) else f"{value:{style}}"


def _table(shown: pd.DataFrame, names: Columns) -> str:
    """Write some columns as markdown, figures to the right; nothing where no cell has one."""
    given = [name for name in names if shown[name].any()]
    part = shown.loc[shown[given].any(axis=1), [*HEAD, *given]]
    align = ["left"] * len(HEAD) + ["right"] * len(given)
    return markdown.table(list(part), part.to_numpy().tolist(), align) if given else ""
