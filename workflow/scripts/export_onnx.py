"""Write the network as float32 ONNX with static and with dynamic input, and check both against torch."""

from pathlib import Path

from speedmap import storage
from speedmap.dataset import images
from speedmap.graph import export
from speedmap.model import rewrites, weights
from speedmap.results import records
from speedmap.results.inventory import ImageSet
from speedmap.results.prepared import Export, Graph
from speedmap.run.job import run_step


def export_onnx(network: str, image_set: str, imgsz: int, form: dict, static: str, dynamic: str, record: str) -> None:
    """Export a network in a form that computes the same; the record holds the worst differences from torch."""
    model = weights.network(Path(network))
    form = {"stem": 6} | form
    rewritten = rewrites.rewritten(model, **form)
    files = list(map(Path, records.read(Path(image_set), ImageSet).calibration_files[: export.CHECKED]))
    graphs = {}
    for shape, path in (("static", Path(static)), ("dynamic", Path(dynamic))):
        export.export(rewritten, path, imgsz, shape == "dynamic")
        batches = [images.load(file, imgsz, shape == "dynamic")[0] for file in files]
        difference = export.worst_difference(model, path, batches)
        graphs[shape] = Graph(onnx_sha256=storage.sha256(path), difference=difference)
    records.write(Path(record), Export(opset=export.OPSET, form=form, **graphs))


if __name__ == "__main__":
    run_step(export_onnx, snakemake, network=snakemake.input.weights)
