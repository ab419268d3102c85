"""The two tables that people read, and under them what ran, on what, how surely."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pandas as pd

from speedmap import differences, judgement
from speedmap.cells import Cell

NAMES = {"tensorrt": "TensorRT", "openvino": "OpenVINO", "torch": "Torch"}
MISSING = "not measured"
TITLES = {"dynamic": "Dynamic input [1, 3, {0}*]", "static": "Static input [1, 3, {0}, {0}]"}


@dataclass(frozen=True)
class Row:
    """A cell with its records; any of them is None when it was not measured.

    references: accuracy records that its mAP is held against, `torch` and `fp16`, as far as there are any. failed: why
    something was not measured, remarks: what else the reader of its speed should know; () for nothing.
    """

    cell: Cell
    speed: dict | None
    accuracy: dict | None
    engine: dict | None
    references: dict[str, dict] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """The precision that ran; the one that was asked for as long as nobody knows."""
        return self.speed["audit"]["precision"] if self.speed else self.cell.precision

    @property
    def invalid(self) -> list[str]:
        """Why the cell's figures are worthless, [] if they are not."""
        reasons = list(self.speed["audit"]["invalid"]) if self.speed else []
        hashes = {
            record["artefact"]["engine_sha256"] if "artefact" in record else record["engine_sha256"]
            for record in (self.speed, self.accuracy, self.engine)
            if record
        }
        if self.cell.backend != "torch" and len(hashes) > 1:
            reasons.append("speed and mAP come from different engines")
        return reasons

    @property
    def warnings(self) -> list[str]:
        return [warning for record in (self.speed, self.accuracy) if record for warning in record["warnings"]]


def _summary(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.speed and row.speed["summary"][key]


def _phase(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.speed and row.speed["phases"].get(key)


def _graphed(row: Row) -> float | None:
    """Give torch's median as a CUDA graph, which is how a TensorRT engine runs anyway."""
    return (row.speed or {}).get("alternatives", {}).get("cuda_graph", {}).get("median_ms")


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
DETAIL_FORMATS = {
    "ms": ".2f",
    "samples": ".0f",
    "MB": ".1f",
    "s": ".1f",
    "share": ".3f",
    "agreement": ".4f",
    "mAP": ".2f",
    "mAP50": ".2f",
}


DETAIL_NOTE = (
    "± mAP: standard error over other images like these. less torch, less FP16: difference of the mAP and its standard "
    "error, paired by image; ≈ means that it is within two of these."
)


def details(rows: list[Row]) -> pd.DataFrame:
    """List every cell with every column, unrounded."""
    return pd.DataFrame([{name: value(row) for name, value in COLUMNS.items()} for row in rows])


def render(rows: list[Row], config: dict, dataset: dict, backend: str) -> str:
    """Write the page: one table a shape, its foot, and the detail table.

    rows: of the backend and of torch. config: of the experiment. Raises ValueError when there is no row at all.
    """
    if not rows:
        raise ValueError("no cell to tabulate")
    found = {row.cell: row for row in rows}
    found = {cell: replace(row, remarks=(*mixed(row), *slower(row, found))) for cell, row in found.items()}
    notes = Notes()
    tables = [_table(found, config, backend, shape, notes) for shape in config["shapes"]]
    return "\n\n".join([*tables, _foot(rows, config, dataset), *notes.lines(), _detail_table(rows)]) + "\n"


def mixed(row: Row) -> list[str]:
    """Say how much of a cell runs in another precision than the one in the header."""
    return judgement.mixed(row.speed["audit"]["shares"]) if row.speed else []


def slower(row: Row, found: dict[Cell, Row]) -> list[str]:
    """Say that INT8 gains nothing over the float engine of the same model and shape, and at which builder level."""
    other = found.get(replace(row.cell, precision="fp16"))
    if row.cell.precision != "int8" or not row.speed or not other or not other.speed:
        return []
    mine, its = (one.speed["summary"]["median_ms"] for one in (row, other))
    level = (row.engine or {}).get("options", {}).get("builder_level")
    known = f" (builder level {level}, at which TensorRT does not search for the fastest kernels)" if level == 0 else ""
    return [f"INT8 is slower than {other.precision.upper()}: conversions cost more than small types save{known}"] * (
        mine > its
    )


class Notes:
    """The marks of a page: each distinct warning or reason has a number and stands once below the tables."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, texts: list[str]) -> str:
        """Give the marks for some texts, numbering the new ones."""
        numbers = sorted(self._numbers.setdefault(text, len(self._numbers) + 1) for text in texts)
        return f"<sup>{','.join(map(str, numbers))}</sup>" if numbers else ""

    def lines(self) -> list[str]:
        return ["\n".join(f"{number}. {text}" for text, number in self._numbers.items())] if self._numbers else []


def _table(found: dict[Cell, Row], config: dict, backend: str, shape: str, notes: Notes) -> str:
    """Write the table of one input shape; torch, which has no static engine, stands in the dynamic one."""
    pairs = [(backend, precision, precision) for precision in config["precisions"]]
    if shape == "dynamic" and config["torch"]:
        pairs.insert(0, ("torch", "fp16", "fp32"))
    columns = {"Model": list(config["models"])}
    for name, fast, exact in pairs:
        for title, precision, figure in (("Speed", fast, speed_figure), ("mAP", exact, map_figure)):
            cells = [Cell(name, model, precision, shape) for model in config["models"]]
            header = f"{NAMES[name]}<br><sup>{title}-{_ran(found, cells, title)}"
            columns[header] = [_figure(found.get(cell), cell, config, figure, notes) for cell in cells]
    table = pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True, tablefmt="github")
    return f"## {TITLES[shape].format(config['imgsz'])}\n\n{table}"


def _ran(found: dict[Cell, Row], cells: list[Cell], title: str) -> str:
    """Name the precision that ran in a column, `FP16/FP32` if the rows differ; torch's mAP is what was asked for."""
    rows = [found[cell] for cell in cells if cell in found]
    ran = {row.precision if row.speed else row.cell.precision for row in rows} or {cells[0].precision}
    return "/".join(sorted(ran)).upper()


def _figure(row: Row | None, cell: Cell, config: dict, figure: Callable[[Row, Notes], str], notes: Notes) -> str:
    if row is None:
        return "skipped" if cell.name in config["skip"] else MISSING
    if row.invalid:
        return "invalid" + notes.mark(row.invalid)
    if figure is map_figure and config["models"][cell.model]["weights"] == "random":
        return "random weights"
    return figure(row, notes)


def speed_figure(row: Row, notes: Notes) -> str:
    """Write a cell's median in milliseconds, to three digits, with the marks of its warnings."""
    if row.speed is None:
        return MISSING + notes.mark(row.failed)
    value = row.speed["summary"]["median_ms"]
    digits = 2 if value < 10 else 1
    return f"{value:.{digits}f} ms{notes.mark([*row.speed['warnings'], *row.remarks])}"


def map_figure(row: Row, notes: Notes) -> str:
    """Write a cell's mAP50-95 in points, with the marks of its warnings."""
    if row.accuracy is None:
        return MISSING + notes.mark(row.failed)
    return f"{100 * row.accuracy['metrics']['map']:.1f}{notes.mark(row.accuracy['warnings'])}"


def _foot(rows: list[Row], config: dict, dataset: dict) -> str:
    speed, accuracy = config["speed"], config["accuracy"]
    environment = next(record["environment"] for row in rows for record in (row.speed, row.accuracy) if record)
    machine = ", ".join(f"{key} {value}" for key, value in environment["platform"].items() if value)
    code = environment.get("commit", "unknown")[:12] + (" (changed)" if environment.get("dirty") else "")
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return "\n".join((
        "\\* the long side; the other is the least multiple of 32 that holds the image. Padding is grey 114.",
        "",
        f"Speed: median milliseconds of one image through the engine alone, batch 1 (conf {speed['conf']}, iou "
        f"{speed['iou']} in the phases around it). mAP: COCO mAP50-95 in points on {len(dataset['images'])} images of "
        f"**{dataset['name']}** (conf {accuracy['conf']}, iou {accuracy['iou']}, max_det {accuracy['max_det']}).",
        "",
        f"Machine: {machine}; {environment['cpu']}; {environment['system']}.",
        "",
        f"Software: {versions}; speedmap {code}.",
    ))  # fmt: skip


def _detail_table(rows: list[Row]) -> str:
    table = details(rows)
    for name in table.columns:
        if style := DETAIL_FORMATS.get(name.split()[-1]):
            table[name] = [("" if pd.isna(value) else f"{value:{style}}") for value in table[name]]
    table = table.astype(object).where(table.notna(), "")
    return f"## Details\n\n{table.to_markdown(index=False, disable_numparse=True, tablefmt='github')}\n\n{DETAIL_NOTE}"
