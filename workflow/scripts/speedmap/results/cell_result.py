"""A cell with all that was recorded of it: what tables, plots and comparisons are made from."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev

from speedmap.results import records
from speedmap.results.accuracy import Accuracy
from speedmap.results.cell import Cell
from speedmap.results.checks import measured
from speedmap.results.findings import DifferentEngines, Finding, NoBoxes
from speedmap.results.prepared import Engine
from speedmap.results.speed import Speed, Summary
from speedmap.results.speedup import Speedup

NAMES = {"tensorrt": "TensorRT", "openvino": "OpenVINO", "torch": "Torch", "null": "null"}


@dataclass(frozen=True)
class CellResult:
    """A cell with its records; any of them is None when it was not measured.

    references: accuracy records that its mAP is held against, `torch` and `float`, as far as there are any. failed: why
    something was not measured, remarks: what else the reader of its speed should know; () for nothing. builds: speed
    records of further engines that were built from the same graph. speedup: of INT8 over FP16.
    """

    cell: Cell
    speed: Speed | None
    accuracy: Accuracy | None
    engine: Engine | None
    references: dict[str, Accuracy] = field(default_factory=dict)
    speedup: Speedup | None = None
    failed: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()
    builds: tuple[Speed, ...] = ()

    @property
    def title(self) -> str:
        return self.cell.title

    @property
    def precision(self) -> str:
        """The precision that ran; the one that was asked for as long as nobody knows."""
        return self.speed.audit.precision if self.speed else self.cell.precision

    @property
    def has_speed(self) -> bool:
        """Whether the cell has a speed that is not worthless."""
        return self.speed is not None and not self.invalid

    @property
    def graphed(self) -> Summary | None:
        """Torch's times as a CUDA graph, which is how a TensorRT engine runs anyway; None where there are none."""
        return self.speed.alternatives.get("cuda_graph") if self.speed else None

    @property
    def measured(self) -> list[Speed | Accuracy]:
        """The records of the cell's figures, as far as there are any."""
        return [record for record in (self.speed, self.accuracy) if record]

    @property
    def invalid(self) -> list[Finding]:
        """Why the cell's figures are worthless, [] if they are not."""
        reasons: list[Finding] = list(self.speed.audit.invalid) if self.speed else []
        hashes = {record.artefact.engine_sha256 for record in self.measured}
        if self.engine:
            hashes.add(self.engine.engine_sha256)
        if self.cell.backend != "torch" and len(hashes) > 1:
            reasons.append(DifferentEngines())
        return reasons

    @property
    def timed(self) -> list[Speed]:
        """The speed record of each valid build, this engine's first; [] when it was not timed."""
        return [record for record in (self.speed, *self.builds) if record and not record.audit.invalid]

    @property
    def medians(self) -> list[float]:
        """The median of each valid build in milliseconds."""
        return [record.summary.median_ms for record in self.timed]

    @property
    def build_error(self) -> float:
        """The standard deviation of the medians of the builds, relative; 0 for fewer than two.

        Disturbed builds count only where there are no two others.
        """
        calm = [record.summary.median_ms for record in self.timed if not record.disturbed]
        medians = calm if len(calm) > 1 else self.medians
        return stdev(medians) / mean(medians) if len(medians) > 1 else 0.0

    @property
    def warnings(self) -> list[Finding]:
        return [warning for record in self.measured for warning in record.warnings]


REFERENCES = {"torch": ("torch", "fp32"), "float": (None, "fp16")}  # of the same input shape; None: of the same backend


def gather(paths: list[str]) -> list[CellResult]:
    """Join speed and accuracy records, and the engine's beside them, in the order in which the cells come."""
    joined: dict[Cell, dict[str, Speed | Accuracy]] = {}
    places: dict[Cell, Path] = {}
    for path in map(Path, paths):
        record = measured(path)
        joined.setdefault(record.cell, {})[path.stem] = record
        places[record.cell] = path.parent
    rows = {cell: _row(cell, by_name, places[cell]) for cell, by_name in joined.items()}
    return [replace(row, references=_references(row.cell, rows), speedup=_of_these(row, rows)) for row in rows.values()]


def _row(cell: Cell, joined: dict[str, Speed | Accuracy], folder: Path) -> CellResult:
    engine, speedup = _beside(folder / "engine.json", Engine), _beside(folder / "speedup.json", Speedup)
    builds = tuple(record for name, record in joined.items() if name.startswith("speed."))
    accuracy, failed = joined.get("accuracy"), ()
    if accuracy and accuracy.metrics.map < 0:  # as COCOeval says it
        accuracy, failed = None, (NoBoxes(),)
    return CellResult(cell, joined.get("speed"), accuracy, engine, speedup=speedup, failed=failed, builds=builds)


def _of_these(row: CellResult, rows: dict[Cell, CellResult]) -> Speedup | None:
    """Return a cell's speed-up if it is of the engine that was timed and of its FP16 twin's, not of older ones."""
    twin = rows.get(replace(row.cell, precision="fp16"))
    if not (row.speedup and row.speed and twin and twin.speed):
        return None
    engines = [record.artefact.engine_sha256 for record in (row.speed, twin.speed)]
    same = engines == [row.speedup.artefact.engine_sha256, row.speedup.twin.engine_sha256]
    return row.speedup if same else None


def _beside(path: Path, kind: type) -> object | None:
    return records.read(path, kind) if path.exists() else None


def _references(cell: Cell, rows: dict[Cell, CellResult]) -> dict[str, Accuracy]:
    """Return the accuracy records that a cell's mAP is held against, by the name of the column."""
    against = {}
    for name, (backend, precision) in REFERENCES.items():
        other = rows.get(Cell(backend or cell.backend, cell.model, precision, cell.shape, cell.batch))
        if other and other.accuracy and other.cell != cell:
            against[name] = other.accuracy
    return against
