"""Measure what INT8 takes before an engine is built: processor time and peak memory of each step, in its own process.

python benchmarks/int8_cost.py --scan 2 sample/*.safetensors
python benchmarks/int8_cost.py --calibration coco/calibration/images yolov5s-v6.0.pt
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # as Snakemake does for jobs of one thread
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

SIZE = 640


def export(weights: Path, folder: Path, *_: object) -> None:
    """Write the graphs of static and of dynamic input."""
    from speedmap.graph import export
    from speedmap.model import checkpoint, yolov5

    network = yolov5.build(checkpoint.load(weights).tensors)
    for shape in ("static", "dynamic"):
        export.export(network, folder / f"{shape}.onnx", SIZE, shape == "dynamic")


def calibrate(_: Path, folder: Path, files: list[Path], *__: object) -> None:
    """Collect statistics."""
    from speedmap.quantization import calibration

    calibration.collect(folder / "static.onnx", files, SIZE).save(folder / "statistics.npz")


def choose_float(_: Path, folder: Path, files: list[Path], settings: argparse.Namespace) -> None:
    """Scan the convolutions."""
    from speedmap.quantization import sensitivity
    from speedmap.quantization.calibration import Statistics
    from speedmap.quantization.options import Options
    from speedmap.results import records

    options, seen = Options(scan=settings.scan), Statistics.load(folder / "statistics.npz")
    choice = sensitivity.choose(folder / "static.onnx", seen, files, SIZE, settings.dialect, options)
    records.write(folder / "choice.json", choice)


def type_int8(_: Path, folder: Path, __: list[Path], settings: argparse.Namespace) -> None:
    """Write the graphs in eight bits."""
    import onnx

    from speedmap.quantization import insert_qdq
    from speedmap.quantization.calibration import Statistics
    from speedmap.quantization.options import Options
    from speedmap.results import records
    from speedmap.results.prepared import Choice

    choice, seen = records.read(folder / "choice.json", Choice), Statistics.load(folder / "statistics.npz")
    for shape in ("static", "dynamic"):
        model = insert_qdq.type_int8(onnx.load(folder / f"{shape}.onnx"), seen, choice, settings.dialect, Options())
        onnx.save(model, folder / f"int8-{shape}.onnx")


def measure(step, *arguments: object) -> tuple[float, float]:
    """Run a step in a process of its own; its user seconds and peak MiB."""
    if not (child := os.fork()):
        step(*arguments)
        sys.stdout.flush()
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{step.__name__} failed")
    return usage.ru_utime, usage.ru_maxrss / 1024


def main(settings: argparse.Namespace) -> None:
    files = sorted(settings.calibration.iterdir())
    for weights in settings.weights:
        with TemporaryDirectory() as temporary:
            folder = settings.keep / weights.stem if settings.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            for step in (export, calibrate, choose_float, type_int8):
                seconds, peak = measure(step, weights, folder, files, settings)
                print(
                    f"{weights.stem} {step.__name__}: {seconds:.1f} s of user CPU time, peak {peak:.0f} MiB", flush=True
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--calibration", type=Path, default=ROOT / "sample/calibration")
    parser.add_argument("--scan", type=int, default=8)
    parser.add_argument("--dialect", default="openvino without vnni")
    parser.add_argument("--keep", type=Path, help="a folder for what the steps write")
    main(parser.parse_args())
