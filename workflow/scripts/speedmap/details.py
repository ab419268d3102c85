"""All that is known of each cell: the detail table, and the csv file that holds the same unrounded."""

from collections.abc import Callable

import pandas as pd

from speedmap import differences
from speedmap.row import Row


def _summary(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.speed and row.speed["summary"][key]


def _phase(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.speed and row.speed["phases"].get(key)


def _graphed(row: Row) -> float | None:
    """Give torch's median as a CUDA graph, which is how a TensorRT engine runs anyway."""
    return (row.speed or {}).get("alternatives", {}).get("cuda_graph", {}).get("median_ms")


def _builds(row: Row) -> str | None:
    """Give the least and the largest median of the builds of one graph."""
    return f"{min(row.medians):.3f} to {max(row.medians):.3f}" if len(row.medians) > 1 else None


def _metric(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.accuracy and 100 * row.accuracy["metrics"][key]


def _agreement(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.speed and row.speed["audit"].get("agreement", {}).get(key)


def _error(row: Row) -> float | None:
    error = row.accuracy and row.accuracy["metrics"].get("map_se")
    return None if error is None else 100 * error


def _against(name: str) -> Callable[[Row], str | None]:
    def difference(row: Row) -> str | None:
        found = differences.between(row.accuracy, row.references.get(name))
        return found and str(found)

    return difference


COLUMNS: dict[str, Callable[[Row], object]] = {  # of the detail table and the csv; a new column is one line
    "cell": lambda row: f"{row.cell.backend}/{row.cell.name}",
    "ran": lambda row: row.precision,
    "p50 ms": _summary("median_ms"),
    "p90 ms": _summary("p90_ms"),
    "p99 ms": _summary("p99_ms"),
    "samples": _summary("count"),
    "builds ms": _builds,
    "CUDA graph ms": _graphed,
    "letterbox ms": _phase("letterbox"),
    "infer ms": _phase("run"),
    "NMS ms": _phase("nms"),
    "end-to-end ms": _phase("end_to_end"),
    "engine MB": lambda row: row.engine and row.engine.get("bytes") and row.engine["bytes"] / 1e6,
    "build s": lambda row: row.engine and row.engine.get("build", {}).get("build_s"),
    "share": lambda row: row.speed and row.speed["audit"]["shares"][row.precision],
    "agreement": _agreement("scores"),
    "mAP": _metric("map"),
    "mAP50": _metric("map50"),
    "± mAP": _error,
    "less torch": _against("torch"),
    "less FP16": _against("fp16"),
}
FORMATS = {
    "ms": ".2f",
    "samples": ".0f",
    "MB": ".1f",
    "s": ".1f",
    "share": ".3f",
    "agreement": ".4f",
    "mAP": ".2f",
    "mAP50": ".2f",
}


NOTE = (
    "builds ms: least and largest median of the engines built from one graph. ± mAP: standard error over other images "
    "like these. less torch, less FP16: difference of the mAP and its standard error, paired by image; ≈ means that it "
    "is within two of these."
)


def frame(rows: list[Row]) -> pd.DataFrame:
    """List every cell with every column, unrounded."""
    return pd.DataFrame([{name: value(row) for name, value in COLUMNS.items()} for row in rows])


def _shown(value: object, style: str) -> str:
    if isinstance(value, str):
        return value
    return "" if pd.isna(value) else f"{value:{style}}"


def render(rows: list[Row]) -> str:
    """Write the detail table and what its columns mean."""
    table = frame(rows)
    for name in table.columns:
        if style := FORMATS.get(name.split()[-1]):
            table[name] = [_shown(value, style) for value in table[name]]
    table = table.astype(object).where(table.notna(), "")
    return f"## Details\n\n{table.to_markdown(index=False, disable_numparse=True, tablefmt='github')}\n\n{NOTE}"
