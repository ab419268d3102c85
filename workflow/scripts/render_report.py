"""Show all results on one page."""

from pathlib import Path

from speedmap import storage
from speedmap.graph import multiply_adds
from speedmap.reporting import charts, report
from speedmap.results import records
from speedmap.results.cell_result import gather
from speedmap.results.prepared import Choice, Peaks
from speedmap.results.reported import Provenance
from speedmap.run.job import job


def render_report(inputs: dict, models: list[str], imgsz: int, out: str) -> None:
    """Write results/report.html."""
    graphs, choices = (dict(zip(models, inputs[name], strict=False)) for name in ("graphs", "sensitivity"))
    text = report.render(
        Path(inputs["template"]),
        Path(inputs["table"]).read_text("utf-8"),
        gather(inputs["records"]),
        {name: sum(multiply_adds.count(Path(path), imgsz).values()) for name, path in graphs.items()},
        records.read(Path(inputs["peaks"]), Peaks),
        {name: records.read(Path(path), Choice) for name, path in choices.items()},
        records.read(Path(inputs["environment"]), Provenance),
        charts.bundle(),
    )
    with storage.atomic(Path(out)) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    with job(snakemake.log[0]):
        render_report(
            inputs=dict(snakemake.input.items()),
            models=snakemake.params.models,
            imgsz=snakemake.params.imgsz,
            out=snakemake.output[0],
        )
