"""Whether a cell's figures may be believed, from what was found out about its engine."""

from speedmap.engines.interface import Inspection
from speedmap.machine.cpu_features import sums_saturate
from speedmap.results.audit import Agreement, Audit
from speedmap.results.cell import Cell
from speedmap.results.findings import (
    BoxesDisagree,
    Invalidity,
    MixedPrecision,
    ScoresDisagree,
    SumsSaturate,
    TargetMissed,
    WrongPrecision,
)

LEAST_SCORES = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.98, "int8": 0.90}  # rubbish lies far below, rounding far above
LEAST_OVERLAP = {"fp32": 0.99, "fp16": 0.95, "bf16": 0.95, "int8": 0.80}
LEAST_SHARE = 0.75  # of the multiply-adds that must run in the precision that the cell is named after
FULL_SHARE = 0.90  # below this the table says how much runs in another one
SUBSTITUTES = {("openvino", "fp16"): {"fp16", "bf16", "fp32"}}  # what a CPU may run instead; the header then names it


def verdict(cell: Cell, inspection: Inspection, agreed: Agreement, random: bool, choice: dict, platform: dict) -> Audit:
    """Sum up what was found out about an engine, and why it is invalid if it is.

    agreed: with the float32 graph; not judged for random weights, which magnify every rounding. choice: of the layers
    that stay in float, as noted in the graph. platform: the backend's.
    """
    shares, precision = inspection.shares, ran(inspection.shares)
    return Audit(
        precision=precision,
        shares=shares,
        others=[name for name, runs in inspection.layers.items() if runs != precision],
        agreement=agreed,
        invalid=invalid(cell.backend, cell.precision, shares, None if random else agreed, platform),
        remarks=missed(**choice),
        lint=inspection.lint,
    )


def ran(shares: dict[str, float]) -> str:
    """Name the precision that most multiply-adds run in."""
    return max(shares, key=shares.get)


def invalid(
    backend: str, asked: str, shares: dict[str, float], agreed: Agreement | None, platform: dict
) -> list[Invalidity]:
    """Return why a cell's figures would be worthless; [] when they are not.

    asked: the precision of the cell. agreed: None where it is not to be judged.
    """
    precision, reasons = ran(shares), []
    if precision not in SUBSTITUTES.get((backend, asked), {asked}) or shares[precision] < LEAST_SHARE:
        reasons.append(WrongPrecision(asked, shares))
    if agreed and not agreed.scores >= LEAST_SCORES.get(precision, 1.0):
        reasons.append(ScoresDisagree(agreed.scores))
        reasons += [SumsSaturate()] if precision == "int8" and sums_saturate(platform) else []
    if agreed and not agreed.boxes >= LEAST_OVERLAP.get(precision, 1.0):
        reasons.append(BoxesDisagree(agreed.boxes))
    return reasons


def mixed(shares: dict[str, float]) -> list[MixedPrecision]:
    """Return how much of an engine runs in another precision than its own; [] when it is little."""
    return [] if shares[ran(shares)] >= FULL_SHARE else [MixedPrecision(shares)]


def missed(
    reached: float = 0.0, target: float | None = None, int8_share: float = 0.0, met: bool = True
) -> list[TargetMissed]:
    """Return that INT8 changes the output more than it was to; [] when it does not or nothing was asked."""
    return [] if met else [TargetMissed(reached, target, int8_share)]
