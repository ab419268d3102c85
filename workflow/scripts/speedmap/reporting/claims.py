"""One line a run that can be quoted, with its doubt in it."""

from speedmap.reporting.verdicts import Gain, gains, scored, shared_doubt
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.reported import Experiment

INPUTS = {"static": "static input {0} x {0}", "dynamic": "dynamic input, long side {0}"}


def claims(rows: list[CellResult], config: Experiment) -> list[str]:
    """Write a line an input mode: what INT8 gains and costs in each model; without INT8, the medians."""
    return [line for shape in config.shapes if (line := _claim(_of(rows, shape), shape, config))]


def _of(rows: list[CellResult], shape: str) -> list[CellResult]:
    return [row for row in rows if row.cell.input == shape and row.cell.backend != "torch"]


def _claim(rows: list[CellResult], shape: str, config: Experiment) -> str:
    timed = [row for row in rows if row.speed and not row.invalid]
    if not timed:
        return ""
    pairs = gains(rows)
    shared = shared_doubt(pairs)
    told = [_compared(pair, shared) for pair in pairs] or [_alone(row) for row in timed]
    subject = f"INT8 against {_floats(pairs)}" if pairs else "Median latency"
    where = f"{machine(timed[0])}, {INPUTS[shape].format(config.imgsz)}, batch 1"
    return f"{subject} on {where}: {'; '.join(told)}. {_known(rows, pairs)}{f' Doubt: {shared}.' if shared else ''}"


def machine(row: CellResult) -> str:
    """Name the device and the backend with its version."""
    platform = row.speed.environment.platform
    device = platform.get("gpu") or platform.get("device") or row.speed.environment.cpu
    version = platform.get(row.cell.backend) or ""
    return f"{device}, {NAMES.get(row.cell.backend, row.cell.backend)} {version}".rstrip()


def _floats(pairs: list[Gain]) -> str:
    return "/".join(dict.fromkeys(pair.twin.precision.upper() for pair in pairs))


def _compared(pair: Gain, shared: str) -> str:
    """Write a pair, with its doubt if not all have the same."""
    cost = f", {100 * pair.cost.value:+.2f} ± {100 * pair.cost.error:.2f} mAP" if pair.cost else ""
    doubt = f" ({pair.doubt})" if pair.doubt and pair.doubt != shared else ""
    return f"{pair.row.cell.model} {pair.ratio:.3f} times as fast ({pair.low:.3f} to {pair.high:.3f}){cost}{doubt}"


def _alone(row: CellResult) -> str:
    summary = row.speed.summary
    cost = f", mAP {scored(row)}" if row.accuracy else ""
    doubt = "" if row.speed.quotable else " (not to be quoted)"
    low, high = summary.median_low_ms, summary.median_high_ms
    return f"{row.cell.model} {row.precision.upper()} {summary.median_ms:.3g} ms ({low:.3g} to {high:.3g}){cost}{doubt}"


def _known(rows: list[CellResult], pairs: list[Gain]) -> str:
    """Return what the figures in brackets and behind ± are."""
    data = next((row.accuracy.dataset for row in rows if row.accuracy), None)
    if not pairs:
        how = "of each median"
    elif all(pair.turns for pair in pairs):
        how = "of engines that took turns"
    else:
        how = "of engines each timed alone where they did not take turns"
    scores = f"; mAP50-95 in points with its standard error, on {data.images} images of {data.name}" if data else ""
    return f"In brackets: 95% interval {how}{scores}."
