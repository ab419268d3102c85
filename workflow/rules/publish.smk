"""From records to what people read."""

from speedmap.publishing import publish as publishing

SPEED = collect(f"results/{BACKEND}/{{cell}}/speed{{build}}.json", cell=CELLS, build=BUILDS)
ACCURACY = collect(f"results/{BACKEND}/{{cell}}/accuracy.json", cell=settings.with_accuracy(config))
TORCH_SPEED = collect("results/torch/{model}-fp16-dynamic/speed.json", model=config["models"])
TORCH_ACCURACY = collect("results/torch/{model}-fp32-dynamic/accuracy.json", model=TRAINED)
ENGINES = collect(f"results/{BACKEND}/{{cell}}/engine{{build}}.json", cell=CELLS, build=BUILDS)
VERIFIED = collect(f"results/{BACKEND}/{{cell}}/verify{{build}}.json", cell=CELLS, build=BUILDS)
RECORDS = SPEED + ACCURACY + (TORCH_SPEED + TORCH_ACCURACY if config["torch"] else [])
CHOICES = collect(f"results/calibration/{{model}}-{BACKEND}.json", model=config["models"])
SENSITIVITY = CHOICES if "int8" in config["precisions"] and not IMPLICIT else []
FOLDER = f"results/published/{publishing.folder(BACKEND, PLATFORM)}"


rule render_table:
    input:
        records=RECORDS,
        engines=ENGINES,
        dataset="results/dataset.json",
    output:
        table="results/table.md",
        csv="results/table.csv",
    log:
        "logs/render_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        backend=BACKEND,
        config=CONFIG,
        code=fingerprint("render_table"),
    script:
        "../scripts/render_table.py"


rule describe_environment:
    input:
        records=RECORDS,
    output:
        "results/environment.json",
    log:
        "logs/describe_environment.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        config=CONFIG,
        code=fingerprint("describe_environment"),
    script:
        "../scripts/describe_environment.py"


rule compare_records:
    input:
        records=RECORDS,
        engines=ENGINES,
        baseline=baseline_records,
    output:
        "results/compare.json",
    log:
        "logs/compare_records.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        baseline=baseline_folder,
        limits=config["limits"],
        code=fingerprint("compare_records"),
    script:
        "../scripts/compare_records.py"


# Apart from the rule above, so that the verdicts stay in compare.json when a regression fails this one.
rule judge_comparison:
    input:
        "results/compare.json",
    output:
        "results/compare.md",
    log:
        "logs/judge_comparison.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("judge_comparison"),
    script:
        "../scripts/judge_comparison.py"


rule record_history:
    input:
        records=RECORDS,
        engines=ENGINES,
    output:
        update("results/history.jsonl"),
    log:
        "logs/record_history.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("record_history"),
    script:
        "../scripts/record_history.py"


rule publish_records:
    input:
        records=RECORDS,
        others=["results/table.md", "results/table.csv", "results/environment.json", "results/dataset.json"]
        + ENGINES
        + VERIFIED
        + SENSITIVITY,
    output:
        update(f"{FOLDER}/published.json"),  # a refusal leaves what was published before
    log:
        "logs/publish_records.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        identity=publishing.identity(BACKEND, PLATFORM),
        force=config["publish"]["force"],
        code=fingerprint("publish_records"),
    script:
        "../scripts/publish_records.py"


rule publish:
    input:
        f"{FOLDER}/published.json",
    output:
        index="results/published/README.md",
        csv="results/published/index.csv",
    log:
        "logs/publish.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("publish"),
    script:
        "../scripts/publish.py"


rule draw_history:
    input:
        "results/history.jsonl",
    output:
        "results/history.svg",
    log:
        "logs/draw_history.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("draw_history"),
    script:
        "../scripts/draw_history.py"


rule draw_pareto:
    input:
        records=RECORDS,
        engines=ENGINES,
    output:
        "results/pareto.svg",
    log:
        "logs/draw_pareto.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("draw_pareto"),
    script:
        "../scripts/draw_pareto.py"


rule measure_peaks:
    output:
        "results/peaks.json",
    log:
        "logs/measure_peaks.log",
    conda:
        ENVIRONMENT
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        platform=PLATFORM,
        code=fingerprint("measure_peaks"),
    script:
        "../scripts/measure_peaks.py"


rule render_report:
    input:
        records=RECORDS,
        engines=ENGINES,
        graphs=collect(f"results/onnx/{{model}}-{config['shapes'][0]}.onnx", model=config["models"]),
        sensitivity=SENSITIVITY,
        table="results/table.md",
        environment="results/environment.json",
        peaks="results/peaks.json",
        template=workflow.source_path("../report/report.html.j2"),
    output:
        "results/report.html",
    log:
        "logs/render_report.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        models=list(config["models"]),
        imgsz=config["imgsz"],
        code=fingerprint("render_report"),
    script:
        "../scripts/render_report.py"


onerror:
    # With --keep-going what could be measured is tabulated all the same, and the cells that failed show why.
    tabulate_what_there_is()
    explain_the_killed(log)
