"""From records to what people read."""

CELLS, BUILDS = SETTINGS.cells, SETTINGS.suffixes
SPEED = collect("results/{backend}/{cell}/speed{build}.json", backend=BACKEND, cell=CELLS, build=BUILDS)
ACCURACY = collect("results/{backend}/{cell}/accuracy.json", backend=BACKEND, cell=SETTINGS.with_accuracy)
DETECTIONS = collect("results/{backend}/{cell}/detections.json", backend=BACKEND, cell=SETTINGS.with_accuracy)
TORCH = SETTINGS.torch_models
TRAINED = [model for model in SETTINGS.trained if model in TORCH]
RECORDS = (
    SPEED
    + ACCURACY
    + collect("results/torch/{model}-fp16-dynamic/speed.json", model=TORCH)
    + collect("results/torch/{model}-fp32-dynamic/accuracy.json", model=TRAINED)
    + collect("results/torch/{model}-fp16-{input}/speed.json", model=TORCH, input=SETTINGS.torch_inputs)
)
AGAIN = ["results/again.json"] if config["remeasure_s"] else []  # after which no speed record changes
SPEEDUPS = collect("results/{backend}/{cell}/speedup.json", backend=BACKEND, cell=SETTINGS.paired)
ENGINES = collect("results/{backend}/{cell}/engine{build}.json", backend=BACKEND, cell=CELLS, build=BUILDS)
CHOICES = collect("results/calibration/{model}-{backend}.json", model=SETTINGS.models, backend=BACKEND)
SENSITIVITY = CHOICES if "int8" in config["precisions"] and not IMPLICIT else []


rule render_table:
    input:
        records=RECORDS,
        engines=ENGINES + SPEEDUPS + AGAIN,
        dataset="results/dataset.json",
    output:
        out=report("results/table.md", caption="../report/table.rst", category="Tables"),
        csv=report("results/table.csv", caption="../report/table.rst", category="Tables"),
        environment="results/environment.json",
    log:
        "logs/render_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        backend=BACKEND,
        config=SETTINGS.experiment,
        code=fingerprint("render_table"),
    script:
        "../scripts/render_table.py"


rule render_report:
    input:
        records=RECORDS,
        engines=ENGINES + SPEEDUPS + AGAIN,
        detections=DETECTIONS,
        dataset="results/dataset.json",
        baseline=report_baseline_records,
        graphs=collect("results/onnx/{model}-static.onnx", model=SETTINGS.models),
        sensitivity=SENSITIVITY,
        table="results/table.md",
        environment="results/environment.json",
        peaks="results/peaks.json",
        template=workflow.source_path("../report/report.html.j2"),
    output:
        out=report("results/report.html", caption="../report/report.rst", category="Tables"),
        pareto=report("results/pareto.svg", caption="../report/pareto.rst", category="Plots"),
    log:
        "logs/render_report.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        given=report_given,
        code=fingerprint("render_report"),
    script:
        "../scripts/render_report.py"
