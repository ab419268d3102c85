"""Inputs and parameters that depend on a job's wildcards, and the hashes of what Snakemake does not watch."""

from functools import cache

from speedmap.errors import UserError
from speedmap.publishing import folders
from speedmap.run import yolo_data
from speedmap.run.fingerprint import contents, contents_of, fingerprint_of, stamp, target


@cache
def fingerprint(script, *modules):
    """Hash an adapter and all of the library that it imports, since Snakemake watches the script's own file only."""
    return fingerprint_of(SCRIPTS, script, *modules)


def fingerprint_with_backend(script):
    """Return a function that hashes the backend of a cell, too."""

    def of_cell(wildcards):
        return fingerprint(script, registry.module(wildcards.backend))

    return of_cell


# fetch.smk


def archive_of(wildcards):
    return WANTED[wildcards.path].archive or []


def source_of(wildcards):
    return vars(WANTED[wildcards.path].source)


# build.smk


def place_of(path):
    """Return a path in the config: of what is made here, an output of a rule; else the user's, without a prefix."""
    return path if path.removeprefix(downloads.ROOT) in WANTED or path in yolo_data.MADE else local(path)


def folder_of(part):
    """Return a folder of images; of the user's own, the stamp tells what its time does not."""
    path = SETTINGS.dataset.paths[part]
    made = part in SETTINGS.dataset.sources.given or path in yolo_data.MADE
    return place_of(path) if made else ancient(place_of(path))


@start.refusing()
def stamp_of_images(wildcards):
    """Hash what was given; not by `input`, since a change of what follows from inputs does not make Snakemake rerun."""
    data = SETTINGS.dataset
    made = stamp_of_labels(wildcards) if data.data else target(data.annotations)
    calibration = "" if data.calibration in yolo_data.MADE else contents(data.calibration)
    return stamp(data.images), calibration, target(data.images), made


@start.refusing()
def stamp_of_labels(wildcards):
    return stamp(SETTINGS.dataset.images), contents_of(yolo_data.sources(SETTINGS.dataset, INT8["images"]))


def stamp_of_weights(wildcards):
    return target(SETTINGS.models[wildcards.model].weights)


def weights_of(wildcards):
    weights = SETTINGS.models[wildcards.model].weights
    return [] if weights == "random" else place_of(weights)


def source_of_weights(wildcards, input):
    return str(input.weights or "random")


def is_onnx(wildcards):
    return bool(SETTINGS.models[wildcards.model].onnx)


def calibration_of(wildcards):
    """Return what INT8 is typed from besides the graph; nothing where TensorRT finds ranges itself."""
    if IMPLICIT:
        return {}
    return {
        "statistics": "results/calibration/{model}.npz",
        "choice": "results/calibration/{model}-{backend}.json",
    }


def target_of_int8(wildcards):
    """Return what INT8 is typed for: processor and backend, but not a GPU's name or driver."""
    return {key: value for key, value in PLATFORM.items() if key not in ("gpu", "driver", "cuda_driver")}


def reference_of(wildcards):
    """Return the float32 graph that an engine is held against, of one image at a time."""
    return f"results/onnx/{wildcards.model}-{wildcards.shape.partition('-')[0]}.onnx"


def options_of_build(wildcards):
    """Return the backend's options.

    A further build times its kernels anew: with the timings of the first it would choose what that one chose.
    """
    options = config.get(wildcards.backend, {})
    if wildcards.build and "timing_cache" in options:
        options = options | {"timing_cache": False}
    return options


def implicit_of(wildcards):
    """Return on how many images TensorRT calibrates an engine while it builds it; None where it does not."""
    return {"images": INT8["images"]} if IMPLICIT and wildcards.precision == "int8" else None


# measure.smk


def engine_files(wildcards):
    """Return the engine of a cell and what is known of it; torch runs the weights themselves."""
    if wildcards.backend == "torch":
        return {"engine": "results/weights/{model}.safetensors", "record": "results/weights/{model}.json"}
    cell, build = "results/{backend}/{model}-{precision}-{shape}", wildcards.get("build", "")
    files = {"engine": f"{cell}/engine{build}", "record": f"{cell}/engine{build}.json"}
    return files | ({"verification": f"{cell}/verify{build}.json"} if "build" in wildcards.keys() else {})


def platform_of(wildcards):
    """Return what a figure depends on besides the engine: for torch the device without the backend's version."""
    return {key: value for key, value in PLATFORM.items() if wildcards.backend != "torch" or key != BACKEND}


def timed_records(wildcards):
    """Return all speed records of the table."""
    return [path for path in RECORDS if Path(path).name.startswith("speed")]


def timed_pairs(wildcards):
    """Return the records of engines that take turns."""
    return SPEEDUPS


def foreign_files(wildcards):
    """Return an engine from elsewhere, and the file beside it that holds an OpenVINO model's weights."""
    engine = SETTINGS.foreign[wildcards.name].engine
    beside = str(Path(engine).with_suffix(".bin"))
    return local([engine, beside] if engine.endswith(".xml") and Path(beside).exists() else engine)


def foreign_of(wildcards):
    return vars(SETTINGS.foreign[wildcards.name])


# publish.smk


def published_root():
    """Return the folder of all that is published, with the prefix that a module may have."""
    return Path(rules.publish.output.index).parent


@start.refusing()
def baseline_folder(wildcards):
    return str(folders.baseline(config["baseline"], BACKEND, PLATFORM, published_root()))


def baseline_records(wildcards):
    return local(folders.recorded(Path(baseline_folder(wildcards))))


def report_baseline(wildcards):
    """Name the baseline's folder, "" where there is none: the report does without."""
    try:
        return str(folders.baseline(config["baseline"], BACKEND, PLATFORM, published_root()))
    except UserError:
        return ""


def report_baseline_records(wildcards):
    return local(folders.recorded(Path(folder))) if (folder := report_baseline(wildcards)) else []


def report_given(wildcards):
    return {
        "models": list(SETTINGS.models),
        "imgsz": config["imgsz"],
        "baseline": report_baseline(wildcards),
        "limits": config["limits"],
    }


def published_folders(wildcards):
    return local(folders.handed_in(published_root()))
