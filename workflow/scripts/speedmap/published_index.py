"""The index of all that was published: one row a device and model."""

from pathlib import Path

from speedmap import published
from speedmap.gather import gather
from speedmap.markdown import table
from speedmap.row import Row

PRECISIONS = ("fp16", "int8")
HEAD = (
    "Device",
    "Backend",
    "Model",
    "Torch ms",
    "Torch mAP",
    "FP16 ms",
    "FP16 mAP",
    "INT8 ms",
    "INT8 mAP",
    "Data",
    "Date",
)
NOTE = (
    "Speed: median milliseconds of one image through the engine alone. mAP: COCO mAP50-95 in points. Of engines with "
    "static input, or with dynamic input where there are none. The precision is the one that was asked for; the tables "
    "behind the links say which one ran."
)


def render(root: Path) -> str:
    """Write the index of the published folders below `root`."""
    lines = [line for folder, facts in published.manifests(root).items() for line in _lines(folder, facts)]
    return f"# Published results\n\n{table(HEAD, sorted(lines))}\n\n{NOTE}\n"


def _lines(folder: Path, facts: dict) -> list[list[str]]:
    rows = gather(published.recorded(folder), folder)
    head = [f"[{facts['device']}]({folder.name}/table.md)", published.title(facts)]
    return [
        [*head, model, *figures(rows, facts["backend"], model), _data(rows), facts["published"][:10]]
        for model in dict.fromkeys(row.cell.model for row in rows)
    ]


def figures(rows: list[Row], backend: str, model: str) -> list[str]:
    """Give a model's medians and mAPs: torch, then the backend's precisions; empty where there is none."""
    rows = [row for row in rows if row.cell.model == model and not row.invalid]
    torch = [row for row in rows if row.cell.backend == "torch"]
    groups = [torch]
    for precision in PRECISIONS:
        typed = [row for row in rows if (row.cell.backend, row.cell.precision) == (backend, precision)]
        groups.append([row for row in typed if row.cell.shape == "static"] or typed)
    return [text for group in groups for text in (_speed(group), _map(group))]


def _speed(rows: list[Row]) -> str:
    return next((f"{row.speed['summary']['median_ms']:.2f}" for row in rows if row.speed), "")


def _map(rows: list[Row]) -> str:
    return next((f"{100 * row.accuracy['metrics']['map']:.1f}" for row in rows if row.accuracy), "")


def _data(rows: list[Row]) -> str:
    return next((row.accuracy["dataset"]["name"] for row in rows if row.accuracy), "")
