"""Build an engine from a typed ONNX file."""

from pathlib import Path

from speedmap import storage
from speedmap.engines import registry
from speedmap.errors.explain import job
from speedmap.machine import gpu_lease
from speedmap.results import records


def main(
    backend: str,
    platform: dict,
    onnx: str,
    dataset: str,
    imgsz: int,
    dynamic: bool,
    options: dict,
    out: str,
    record: str,
) -> None:
    """Build an engine; the record beside it says what it was built from, on what and how."""
    height, width = map(int, next(iter(records.read(Path(dataset))["shapes"])).split("x"))  # the most frequent shape
    module, engine = registry.engine(backend), Path(out)
    registry.demand(platform, module.platform())
    with gpu_lease.lease(module, alone=False) as run:
        facts = module.build(Path(onnx), engine, (height, width), imgsz, dynamic, options)
    identity = {"engine_sha256": storage.sha256(engine), "onnx_sha256": storage.sha256(Path(onnx))}
    made = {"platform": module.platform(), "bytes": engine.stat().st_size, "options": options, "build": facts}
    records.write(Path(record), {**identity, **made, "runs": [run]})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(
            snakemake.params.backend,
            snakemake.params.platform,
            snakemake.input.onnx,
            snakemake.input.dataset,
            snakemake.params.imgsz,
            snakemake.wildcards.shape == "dynamic",
            snakemake.params.options,
            snakemake.output.engine,
            snakemake.output.record,
        )
