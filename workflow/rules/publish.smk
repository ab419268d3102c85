"""Figures over time, against a baseline, and committed for others."""

FOLDER = f"results/published/{folders.folder(BACKEND, PLATFORM)}"
VERIFIED = collect("results/{backend}/{cell}/verify{build}.json", backend=BACKEND, cell=CELLS, build=BUILDS)


rule compare_records:
    input:
        records=RECORDS,
        engines=ENGINES + AGAIN,
        baseline_paths=baseline_records,
    output:
        record="results/compare.json",
        junit="results/compare.xml",
        badge="results/badge.svg",
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


# Apart from the rule above, so that the verdicts stay when a regression fails this one.
rule judge_comparison:
    input:
        comparison="results/compare.json",
    output:
        out=report("results/compare.md", caption="../report/compare.rst", category="Over time"),
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
        engines=ENGINES + AGAIN,
    output:
        lines=update("results/history.jsonl"),
        plot=report("results/history.svg", caption="../report/history.rst", category="Over time"),
        bencher="results/bencher.json",
    log:
        "logs/record_history.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("record_history"),
    script:
        "../scripts/record_history.py"


rule publish:
    input:
        records=RECORDS,
        others=["results/table.md", "results/table.csv", "results/environment.json", "results/dataset.json"]
        + ENGINES
        + VERIFIED
        + SPEEDUPS
        + SENSITIVITY,
    output:
        manifest=update(f"{FOLDER}/published.json"),  # a refusal leaves what was published before
        index="results/published/README.md",
        csv="results/published/index.csv",
    log:
        "logs/publish.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        identity=folders.identity(BACKEND, PLATFORM)._asdict(),
        force=config["publish"]["force"],
        code=fingerprint("publish"),
    script:
        "../scripts/publish.py"


# No output: whatever is handed in is looked at anew each time.
rule check_published:
    input:
        folders=published_folders,
    log:
        "logs/check_published.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("check_published"),
    script:
        "../scripts/check_published.py"
