"""Whether a cell's figures may be believed, from what was found out about its engine."""

from speedmap.machine.cpu_features import SATURATING
from speedmap.results.cell import Cell

LEAST_SCORES = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.98, "int8": 0.90}  # rubbish lies far below, rounding far above
LEAST_OVERLAP = {"fp32": 0.99, "fp16": 0.95, "bf16": 0.95, "int8": 0.80}
LEAST_SHARE = 0.75  # of the multiply-adds that must run in the precision that the cell is named after
FULL_SHARE = 0.90  # below this the table says how much runs in another one
SUBSTITUTES = {("openvino", "fp16"): {"fp16", "bf16", "fp32"}}  # what a CPU may run instead; the header then names it

SATURATED = (
    "this CPU, without VNNI, adds products of INT8 in 16 bits, where they saturate, which may be why: leave more "
    "layers in float (int8.least_share: 0.75), or measure where /proc/cpuinfo lists avx512_vnni or avx_vnni"
)


def verdict(cell: Cell, audit: dict, agreed: dict, random: bool, choice: dict, platform: dict) -> dict:
    """Sum up what was found out about an engine, and why it is invalid if it is.

    audit: `shares` of the multiply-adds by precision, `layers` by name, and TensorRT's `lint`. agreed: with the float32
    graph, see `agreement`; not judged for random weights, which magnify every rounding. choice: of the layers that stay
    in float. platform: the backend's.
    """
    shares, precision = audit["shares"], ran(audit["shares"])
    return {
        "precision": precision,
        "shares": shares,
        "others": [name for name, runs in audit["layers"].items() if runs != precision],
        "agreement": agreed,
        "invalid": invalid(cell.backend, cell.precision, shares, None if random else agreed, platform),
        "remarks": missed(choice),
        "lint": audit.get("lint", {}),
    }


def ran(shares: dict[str, float]) -> str:
    """Name the precision that most multiply-adds run in."""
    return max(shares, key=shares.get)


def invalid(backend: str, asked: str, shares: dict[str, float], agreed: dict | None, platform: dict) -> list[str]:
    """Say why a cell's figures would be worthless; [] when they are not.

    asked: the precision of the cell. agreed: None where it is not to be judged.
    """
    precision, found = ran(shares), []
    if precision not in SUBSTITUTES.get((backend, asked), {asked}) or shares[precision] < LEAST_SHARE:
        found.append(f"asked for {asked} but runs {listed(shares)}")
    if agreed and not agreed["scores"] >= LEAST_SCORES.get(precision, 1.0):
        found.append(f"scores disagree with the float32 graph (cosine {agreed['scores']:.3f})")
        found += [SATURATED] if precision == "int8" and platform.get("int8_sums") == SATURATING else []
    if agreed and not agreed["boxes"] >= LEAST_OVERLAP.get(precision, 1.0):
        found.append(f"boxes disagree with the float32 graph (overlap {agreed['boxes']:.3f})")
    return found


def mixed(shares: dict[str, float]) -> list[str]:
    """Say how much of an engine runs in another precision than its own; [] when it is little."""
    return [] if shares[ran(shares)] >= FULL_SHARE else [f"runs {listed(shares)} of its multiply-adds"]


def missed(choice: dict) -> list[str]:
    """Say that INT8 changes the output more than it was to; [] when it does not or nothing was asked."""
    if choice.get("met", True):
        return []
    reached, target, share = (choice[key] for key in ("reached", "target", "int8_share"))
    change = f"INT8 changes the output by {reached:.4g}, int8.target is {target:g}"
    return [f"{change}: the least found, with {share:.1%} in INT8"]


def listed(shares: dict[str, float]) -> str:
    return ", ".join(f"{share:.0%} {name}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))
