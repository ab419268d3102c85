"""Show all results on one page."""

from pathlib import Path

from speedmap import storage
from speedmap.graph import multiply_adds
from speedmap.publishing import since
from speedmap.reporting import charts, detection_pictures, report
from speedmap.reporting.pareto_points import points
from speedmap.results import inventory, records
from speedmap.results.cell_result import gather
from speedmap.results.prepared import Choice, Peaks
from speedmap.results.reported import Limits, Provenance
from speedmap.run.job import run_step


def render_report(inputs, models: list[str], imgsz: int, baseline: str, limits: dict, out: str, pareto: str) -> None:
    """Write results/report.html, and its first chart as a picture, results/pareto.svg; inputs: the rule's, by name."""
    graphs, choices = (dict(zip(models, paths, strict=False)) for paths in (inputs.graphs, inputs.sensitivity))
    rows, data = gather(inputs.records), records.read(Path(inputs.dataset), inventory.Dataset)
    changes, compared = since.held(rows, baseline, list(inputs.baseline), Limits(**limits))
    material = report.Material(
        rows=rows,
        table=Path(inputs.table).read_text("utf-8"),
        work={name: sum(multiply_adds.count(Path(path), imgsz).values()) for name, path in graphs.items()},
        peaks=records.read(Path(inputs.peaks), Peaks),
        sensitivity={name: records.read(Path(path), Choice) for name, path in choices.items()},
        facts=records.read(Path(inputs.environment), Provenance),
        changes=changes,
        compared=compared,
        past=since.past(Path("results/history.jsonl"), rows),
        pictures=detection_pictures.pictures(rows, data),
    )
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(report.render(Path(inputs.template), material, charts.bundle()), "utf-8")
    charts.save(charts.pareto(points(rows)), charts.PARETO, Path(pareto))


if __name__ == "__main__":
    run_step(render_report, snakemake, inputs=snakemake.input, **snakemake.params.given)
