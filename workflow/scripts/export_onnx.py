"""Write the network as float32 ONNX, and check it against torch."""

from pathlib import Path

from speedmap import storage
from speedmap.dataset import images
from speedmap.errors.explain import job
from speedmap.graph import export
from speedmap.model import rewrites, weights
from speedmap.results import records

CHECKED = 3  # calibration images that the graph is compared with torch on


def main(network: str, dataset: str, imgsz: int, dynamic: bool, form: dict, out: str, record: str) -> None:
    """Export a network in a form that computes the same; the record holds the worst differences from torch."""
    model, path = weights.network(Path(network)), Path(out)
    files = [image["file"] for image in records.read(Path(dataset))["calibration"][:CHECKED]]
    export.export(rewrites.rewritten(model, form), path, imgsz, dynamic)
    difference = export.worst_difference(model, path, [images.load(Path(file), imgsz, dynamic)[0] for file in files])
    facts = {"onnx_sha256": storage.sha256(path), "opset": export.OPSET, "form": rewrites.PLAIN | form}
    records.write(Path(record), facts | {"difference": difference})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.input.weights,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.wildcards.shape == "dynamic",
            snakemake.params.form,
            snakemake.output.onnx,
            snakemake.output.record,
        )
