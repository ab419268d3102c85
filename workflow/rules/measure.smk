"""Speed and mAP of one engine file: separate jobs, because their thresholds differ."""


# The data set may be detected in by several jobs: --set-scatter images=8.
scattergather:
    images=1,


rule measure_speed:
    input:
        engine=f"results/{BACKEND}/{CELL}/engine{{build}}",
        record=f"results/{BACKEND}/{CELL}/engine{{build}}.json",
        verify=f"results/{BACKEND}/{CELL}/verify{{build}}.json",
        dataset="results/dataset.json",
    output:
        f"results/{BACKEND}/{CELL}/speed{{build}}.json",
    log:
        f"logs/{BACKEND}/{CELL}/measure_speed{{build}}.log",
    retries: 1
    conda:
        ENVIRONMENT
    threads: workflow.cores
    resources:
        attempt=number_of_attempt,
        gpu=1,
    params:
        backend=BACKEND,
        imgsz=config["imgsz"],
        protocol=config["speed"],
        code=fingerprint("measure_speed", BACKEND),
    script:
        "../scripts/measure_speed.py"


rule detect:
    input:
        engine=f"results/{BACKEND}/{CELL}/engine",
        record=f"results/{BACKEND}/{CELL}/engine.json",
        dataset="results/dataset.json",
    output:
        temp(f"results/{BACKEND}/{CELL}/detections/{{scatteritem}}.json"),
    log:
        f"logs/{BACKEND}/{CELL}/detect/{{scatteritem}}.log",
    benchmark:
        f"logs/{BACKEND}/{CELL}/detect/{{scatteritem}}.jsonl"
    conda:
        ENVIRONMENT
    threads: DETECTING
    resources:
        gpu=1,
    params:
        backend=BACKEND,
        imgsz=config["imgsz"],
        protocol=config["accuracy"],
        code=fingerprint("detect", BACKEND),
    script:
        "../scripts/detect.py"


rule measure_accuracy:
    input:
        parts=gather.images(f"results/{BACKEND}/{CELL}/detections/{{scatteritem}}.json", allow_missing=True),
        dataset="results/dataset.json",
    output:
        record=f"results/{BACKEND}/{CELL}/accuracy.json",
        detections=f"results/{BACKEND}/{CELL}/detections.json",
    log:
        f"logs/{BACKEND}/{CELL}/measure_accuracy.log",
    benchmark:
        f"logs/{BACKEND}/{CELL}/measure_accuracy.jsonl"
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("measure_accuracy", BACKEND),
    script:
        "../scripts/measure_accuracy.py"


use rule measure_speed as measure_torch_speed with:
    input:
        engine="results/weights/{model}.safetensors",
        record="results/weights/{model}.json",
        dataset="results/dataset.json",
    output:
        f"results/torch/{CELL}/speed.json",
    log:
        f"logs/torch/{CELL}/measure_speed.log",
    params:
        backend="torch",
        device=DEVICE,
        imgsz=config["imgsz"],
        protocol=config["speed"],
        code=fingerprint("measure_speed", "torch"),


use rule detect as detect_by_torch with:
    input:
        engine="results/weights/{model}.safetensors",
        record="results/weights/{model}.json",
        dataset="results/dataset.json",
    output:
        temp(f"results/torch/{CELL}/detections/{{scatteritem}}.json"),
    log:
        f"logs/torch/{CELL}/detect/{{scatteritem}}.log",
    benchmark:
        f"logs/torch/{CELL}/detect/{{scatteritem}}.jsonl"
    params:
        backend="torch",
        device=DEVICE,
        imgsz=config["imgsz"],
        protocol=config["accuracy"],
        code=fingerprint("detect", "torch"),


use rule measure_accuracy as measure_torch_accuracy with:
    input:
        parts=gather.images(f"results/torch/{CELL}/detections/{{scatteritem}}.json", allow_missing=True),
        dataset="results/dataset.json",
    output:
        record=f"results/torch/{CELL}/accuracy.json",
        detections=f"results/torch/{CELL}/detections.json",
    log:
        f"logs/torch/{CELL}/measure_accuracy.log",
    benchmark:
        f"logs/torch/{CELL}/measure_accuracy.jsonl"
    params:
        code=fingerprint("measure_accuracy", "torch"),
