"""What continuous integration reads: verdicts as JUnit XML and as a badge, figures in Bencher Metric Format."""

from collections import Counter, defaultdict
from xml.etree import ElementTree

from speedmap.accuracy.paired_difference import SURE
from speedmap.publishing.compare import BAD, ORDER, UNJUDGED
from speedmap.publishing.compare_page import reason
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Change, Comparison

NS = 1e6  # in a millisecond
OUTCOMES = {"failure": BAD, "skipped": {UNJUDGED}}  # of a test case, the first that fits; else it passed
RED, GREY, GREEN = "#b3261e", "#5f6368", "#2e7d32"  # white letters on them have a contrast of 5 at least
BADGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{end}" height="20" role="img" aria-label="speedmap: {said}">'
    '<rect width="{end}" height="20" rx="3" fill="{colour}"/><rect width="66" height="20" rx="3" fill="#3c4043"/>'
    '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11"><text x="6" y="14" textLength="54">'
    'speedmap</text><text x="72" y="14" textLength="{length}">{said}</text></g></svg>\n'
)
LETTER = 6.0  # pixels that one takes on average, which textLength makes true of any font


def junit(record: Comparison) -> bytes:
    """Write a comparison as JUnit XML: a test case a cell, failed, skipped where nothing follows from it, or passed."""
    cells: dict[str, list[Change]] = defaultdict(list)
    for change in record.changes:
        cells[change.cell].append(change)
    suite = ElementTree.Element("testsuite", name=_printable(f"speedmap, held against {record.baseline}"))
    outcomes = [_case(suite, cell, changes) for cell, changes in cells.items()]
    suite.attrib |= {"tests": str(len(cells)), "failures": str(outcomes.count("failure")), "errors": "0",
                     "skipped": str(outcomes.count("skipped"))}  # fmt: skip
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, "utf-8", xml_declaration=True)


def _case(suite: ElementTree.Element, cell: str, changes: list[Change]) -> str | None:
    """Add a cell to a suite, with its reasons in one line; returns what became of it, None where it passed."""
    backend, _, name = _printable(cell).partition("/")
    case = ElementTree.SubElement(suite, "testcase", classname=backend, name=name)
    for outcome, verdicts in OUTCOMES.items():
        if reasons := [reason(change) for change in changes if change.verdict in verdicts]:
            ElementTree.SubElement(case, outcome, message=_printable(". ".join(reasons)))
            return outcome
    return None


def _printable(text: str) -> str:
    """Replace what XML cannot hold, which names of processes and in records of strangers may."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def badge(changes: list[Change]) -> str:
    """Draw a comparison's verdict as a badge, an SVG; grey where not all of it could be judged."""
    counts = Counter(change.verdict for change in changes)
    bad = [f"{counts[verdict]} {verdict}" for verdict in ORDER if verdict in BAD and counts[verdict]]
    unjudged = [f"{counts[UNJUDGED]} {UNJUDGED}"] if counts[UNJUDGED] else []
    said = ", ".join(bad or ["no worse", *unjudged])
    length = round(LETTER * len(said))
    colour = RED if bad else GREY if unjudged else GREEN
    return BADGE.format(said=said, colour=colour, length=length, end=length + 78)


def bencher(rows: list[CellResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures in Bencher Metric Format: latency in ns, throughput in images/s of batches, mAP in points.

    Without invalid cells and disturbed or unstable speeds, from which nothing follows. Bounds: 95% intervals.
    https://bencher.dev/docs/reference/bencher-metric-format/
    """
    return {row.title: measures for row in rows if not row.invalid and (measures := _measures(row))}


def _measures(row: CellResult) -> dict[str, dict[str, float]]:
    measures = {"latency": [], "throughput": [], "map": []}
    if row.speed and not row.speed.disturbed:
        summary, graphed = row.speed.summary, row.graphed or row.speed.summary
        times = summary.median_ms, summary.median_low_ms, summary.median_high_ms
        rates = graphed.median_ms, graphed.median_high_ms, graphed.median_low_ms
        of_batch = [1e3 * row.cell.batch / ms for ms in rates] if row.cell.batch > 1 else []
        measures |= {"latency": [NS * ms for ms in times], "throughput": of_batch}
    if row.accuracy:
        value, error = row.accuracy.metrics.map, row.accuracy.metrics.map_se
        ends = () if error is None else (value - SURE * error, value + SURE * error)
        measures |= {"map": [100 * end for end in (value, *ends)]}
    return {name: _metric(*figures) for name, figures in measures.items() if figures}


def _metric(value: float, *ends: float) -> dict[str, float]:
    return {"value": value, **dict(zip(("lower_value", "upper_value"), ends, strict=False))}
