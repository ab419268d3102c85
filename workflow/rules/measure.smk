"""Speed and mAP of one engine: separate jobs on the same file, because their thresholds differ."""


rule measure_speed:
    input:
        unpack(engine_files),
        dataset="results/dataset.json",
    output:
        out="results/{backend}/{model}-{precision}-{shape}/speed{build}.json",
        metadata="results/{backend}/{model}-{precision}-{shape}/metadata{build}.json",  # to use the engine elsewhere
    log:
        "logs/{backend}/{model}-{precision}-{shape}/measure_speed{build}.log",
    conda:
        ENVIRONMENT
    threads: CORES
    resources:
        gpu=1,
    params:
        imgsz=config["imgsz"],
        protocol=config["speed"],
        platform=platform_of,
        code=fingerprint_with_backend("measure_speed"),
    script:
        "../scripts/measure_speed.py"


# Behind all others, since a second run right after the first would meet the same neighbour. Its inputs are what it
# replaces: a record of a disturbed run gives way to that of a less disturbed one.
rule measure_again:
    input:
        speeds=timed_records,
        speedups=timed_pairs,
        dataset="results/dataset.json",
        image_set="results/images.json",
    output:
        out="results/again.json",
    log:
        "logs/measure_again.log",
    priority: -1
    conda:
        ENVIRONMENT
    threads: CORES
    resources:
        gpu=1,
    params:
        seconds=config["remeasure_s"],
        code=fingerprint("measure_again"),
    message:
        "Measure again what was disturbed, in {params.seconds} s at most; nothing where nothing was."
    script:
        "../scripts/measure_again.py"


rule measure_speedup:
    input:
        engine="results/{backend}/{model}-int8-{shape}/engine",
        engine_record="results/{backend}/{model}-int8-{shape}/engine.json",
        twin="results/{backend}/{model}-fp16-{shape}/engine",
        twin_record="results/{backend}/{model}-fp16-{shape}/engine.json",
        image_set="results/images.json",
    output:
        out="results/{backend}/{model}-int8-{shape}/speedup.json",
    log:
        "logs/{backend}/{model}-int8-{shape}/measure_speedup.log",
    conda:
        ENVIRONMENT
    threads: CORES
    resources:
        gpu=1,
    params:
        imgsz=config["imgsz"],
        seconds=config["speed"]["min_s"],
        platform=platform_of,
        code=fingerprint_with_backend("measure_speedup"),
    script:
        "../scripts/measure_speedup.py"


rule measure_accuracy:
    input:
        unpack(engine_files),
        dataset="results/dataset.json",
    output:
        out="results/{backend}/{model}-{precision}-{shape}/accuracy.json",
        detections="results/{backend}/{model}-{precision}-{shape}/detections.json",
    log:
        "logs/{backend}/{model}-{precision}-{shape}/measure_accuracy.log",
    wildcard_constraints:
        shape="static|dynamic",
    conda:
        ENVIRONMENT
    threads: min(5, CORES) if BACKEND == "tensorrt" else CORES  # beside a GPU: decode, launch, NMS
    resources:
        gpu=1,
    params:
        imgsz=config["imgsz"],
        protocol=config["accuracy"],
        platform=platform_of,
        code=fingerprint_with_backend("measure_accuracy"),
    script:
        "../scripts/measure_accuracy.py"


rule measure_foreign:
    input:
        given=foreign_files,
        dataset="results/dataset.json",
    output:
        engine="results/foreign/{name}/engine",
        speed="results/foreign/{name}/speed.json",
        accuracy="results/foreign/{name}/accuracy.json",
        detections="results/foreign/{name}/detections.json",
    log:
        "logs/foreign/{name}/measure_foreign.log",
    conda:
        ENVIRONMENT
    threads: CORES
    resources:
        gpu=1,
    params:
        backend=BACKEND,
        foreign=foreign_of,
        protocols={key: config[key] for key in ("imgsz", "speed", "accuracy")},
        platform=PLATFORM,
        code=fingerprint("measure_foreign", registry.module(BACKEND)),
    script:
        "../scripts/measure_foreign.py"


rule measure_peaks:
    output:
        out="results/peaks.json",
    log:
        "logs/measure_peaks.log",
    conda:
        ENVIRONMENT
    threads: CORES
    resources:
        gpu=1,
    params:
        platform=PLATFORM,
        code=fingerprint("measure_peaks"),
    script:
        "../scripts/measure_peaks.py"
