"""From records to what people read."""

SPEED = collect(f"results/{BACKEND}/{{cell}}/speed.json", cell=CELLS)
ACCURACY = collect(f"results/{BACKEND}/{{cell}}/accuracy.json", cell=settings.with_accuracy(config))
TORCH_SPEED = collect("results/torch/{model}-fp16-dynamic/speed.json", model=config["models"])
TORCH_ACCURACY = collect("results/torch/{model}-fp32-dynamic/accuracy.json", model=TRAINED)
ENGINES = collect(f"results/{BACKEND}/{{cell}}/engine.json", cell=CELLS)
RECORDS = SPEED + ACCURACY + (TORCH_SPEED + TORCH_ACCURACY if config["torch"] else [])


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


onerror:
    # With --keep-going what could be measured is tabulated all the same, and the cells that failed show why.
    tabulate_what_there_is()
