"""What can be quoted of a run, one claim an input mode, as a line and as figures to draw, each with its doubt."""

from dataclasses import dataclass

from speedmap.reporting.verdicts import Gain, gains, scored, shared
from speedmap.results.cell_result import NAMES, CellResult
from speedmap.results.reported import Experiment

INPUTS = {"static": "static input {0} x {0}", "dynamic": "dynamic input, long side {0}"}


@dataclass(frozen=True)
class Told:
    """A figure of a claim with its 95% interval, and as text. doubt: `""` for none."""

    name: str
    text: str
    value: float
    low: float
    high: float
    doubt: str


@dataclass(frozen=True)
class Claim:
    """What is claimed of which machine and input. even: no gain. known: what intervals and errors are."""

    subject: str
    unit: str
    even: float | None
    where: str
    told: list[Told]
    known: str

    def __str__(self) -> str:
        """Write the claim in one line; a doubt that all figures have stands once, at its end."""
        common = self.shared_doubt
        told = [f"{one.name} {one.text}{f' ({one.doubt})' if one.doubt and not common else ''}" for one in self.told]
        doubt = f" Doubt: {common}." if common else ""
        return f"{self.subject} on {self.where}: {'; '.join(told)}. {self.known}{doubt}"

    @property
    def shared_doubt(self) -> str:
        return shared(one.doubt for one in self.told)


def claims(rows: list[CellResult], config: Experiment) -> list[Claim]:
    """Claim of each input mode what INT8 gains and costs in each model; without INT8, the medians."""
    return [claim for shape in config.shapes if (claim := _claim(_of(rows, shape), shape, config))]


def _of(rows: list[CellResult], shape: str) -> list[CellResult]:
    return [row for row in rows if row.cell.input == shape and row.cell.backend != "torch"]


def _claim(rows: list[CellResult], shape: str, config: Experiment) -> Claim | None:
    timed = [row for row in rows if row.has_speed]
    if not timed:
        return None
    pairs = gains(rows)
    where = f"{machine(timed[0])}, {INPUTS[shape].format(config.imgsz)}, batch 1"
    if pairs:
        floats = "/".join(dict.fromkeys(pair.twin.precision.upper() for pair in pairs))
        subject, unit, even, told = f"INT8 against {floats}", f"times as fast as {floats}", 1.0, map(_compared, pairs)
    else:
        subject, unit, even, told = "Median latency", "ms", None, map(_alone, timed)
    return Claim(subject, unit, even, where, list(told), _known(rows, pairs))


def machine(row: CellResult) -> str:
    """Name the device and the backend with its version."""
    platform = row.speed.environment.platform
    device = row.speed.environment.device
    version = platform.get(row.cell.backend) or ""
    return f"{device}, {NAMES.get(row.cell.backend, row.cell.backend)} {version}".rstrip()


def _compared(pair: Gain) -> Told:
    cost = f", {100 * pair.cost.value:+.2f} ± {100 * pair.cost.error:.2f} mAP" if pair.cost else ""
    text = f"{pair.ratio:.3f} times as fast ({pair.low:.3f} to {pair.high:.3f}){cost}"
    return Told(pair.row.cell.model, text, pair.ratio, pair.low, pair.high, pair.doubt)


def _alone(row: CellResult) -> Told:
    summary = row.speed.summary
    cost = f", mAP {scored(row)}" if row.accuracy else ""
    median, low, high = summary.median_ms, summary.median_low_ms, summary.median_high_ms
    text = f"{median:.3g} ms ({low:.3g} to {high:.3g}){cost}"
    doubt = "" if row.speed.quotable else "not to be quoted"
    return Told(f"{row.cell.model} {row.precision.upper()}", text, median, low, high, doubt)


def _known(rows: list[CellResult], pairs: list[Gain]) -> str:
    """Return what the figures in brackets and behind ± are."""
    data = next((row.accuracy.dataset for row in rows if row.accuracy), None)
    if not pairs:
        how = "of each median"
    elif all(pair.turns for pair in pairs):
        once = any(pair.row.speedup.openings == 1 for pair in pairs)
        how = "of engines that took turns" + (", opened once" if once else "")
    else:
        how = "of engines each timed alone where they did not take turns"
    scores = f"; mAP50-95 in points with its standard error, on {data.images} images of {data.name}" if data else ""
    return f"In brackets: 95% interval {how}{scores}."
