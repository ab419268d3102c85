"""From checkpoint and images to a verified engine.

Each job asks for one thread, so that models go side by side, and since the small matrices of calibration are multiplied
many times as fast by one thread as by several that wait for one another. ONNX Runtime uses all cores all the same.
"""


rule check_dataset:
    input:
        images=folder_of("images"),
        annotations=config["dataset"]["annotations"],
        calibration=folder_of("calibration"),
    output:
        "results/dataset.json",
    log:
        "logs/check_dataset.log",
    conda:
        ENVIRONMENT
    params:
        dataset={key: config["dataset"][key] for key in ("name", "limit")},
        images=stamp_of_images,
        imgsz=config["imgsz"],
        wanted=INT8["images"] if "int8" in config["precisions"] else 0,
        code=fingerprint("check_dataset"),
    script:
        "../scripts/check_dataset.py"


rule read_weights:
    input:
        weights=weights_of,
        dataset="results/dataset.json",
    output:
        weights="results/weights/{model}.safetensors",
        record="results/weights/{model}.json",
    log:
        "logs/read_weights/{model}.log",
    priority: 1  # a wrong checkpoint is told before the others' long work
    conda:
        ENVIRONMENT
    params:
        source=source_of_weights,
        code=fingerprint("read_weights"),
    script:
        "../scripts/read_weights.py"


rule export_onnx:
    input:
        weights="results/weights/{model}.safetensors",
        dataset="results/dataset.json",
    output:
        onnx="results/onnx/{model}-{shape}.onnx",
        record="results/onnx/{model}-{shape}.json",
    log:
        "logs/export_onnx/{model}-{shape}.log",
    conda:
        ENVIRONMENT
    params:
        imgsz=config["imgsz"],
        form=config.get(BACKEND, {}).get("graph", {}),
        code=fingerprint("export_onnx"),
    script:
        "../scripts/export_onnx.py"


rule calibrate:
    input:
        onnx="results/onnx/{model}-static.onnx",
        weights="results/weights/{model}.json",
        dataset="results/dataset.json",
    output:
        statistics="results/calibration/{model}.npz",
    log:
        "logs/calibrate/{model}.log",
    benchmark:
        "logs/calibrate/{model}.jsonl"
    conda:
        ENVIRONMENT
    params:
        imgsz=config["imgsz"],
        images=INT8["images"],
        code=fingerprint("calibrate"),
    script:
        "../scripts/calibrate.py"


rule choose_float:
    input:
        onnx="results/onnx/{model}-static.onnx",
        statistics="results/calibration/{model}.npz",
        weights="results/weights/{model}.json",
        dataset="results/dataset.json",
    output:
        f"results/calibration/{{model}}-{BACKEND}.json",
    log:
        f"logs/choose_float/{{model}}-{BACKEND}.log",
    benchmark:
        f"logs/choose_float/{{model}}-{BACKEND}.jsonl"
    conda:
        ENVIRONMENT
    params:
        dialect=BACKEND,
        imgsz=config["imgsz"],
        options=INT8,
        code=fingerprint("choose_float"),
    script:
        "../scripts/choose_float.py"


rule type_fp16:
    input:
        "results/onnx/{model}-{shape}.onnx",
    output:
        f"results/{BACKEND}/{{model}}-fp16-{{shape}}/model.onnx",
    log:
        f"logs/{BACKEND}/{{model}}-fp16-{{shape}}/type_fp16.log",
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("type_fp16"),
    script:
        "../scripts/type_fp16.py"


rule type_int8:
    input:
        onnx="results/onnx/{model}-{shape}.onnx",
        statistics="results/calibration/{model}.npz",
        layers=f"results/calibration/{{model}}-{BACKEND}.json",
    output:
        f"results/{BACKEND}/{{model}}-int8-{{shape}}/model.onnx",
    log:
        f"logs/{BACKEND}/{{model}}-int8-{{shape}}/type_int8.log",
    conda:
        ENVIRONMENT
    params:
        dialect=BACKEND,
        options=INT8,
        code=fingerprint("type_int8"),
    script:
        "../scripts/type_int8.py"


if IMPLICIT:

    ruleorder: leave_float > type_int8

    rule leave_float:
        input:
            "results/onnx/{model}-{shape}.onnx",
        output:
            f"results/{BACKEND}/{{model}}-int8-{{shape}}/model.onnx",
        log:
            f"logs/{BACKEND}/{{model}}-int8-{{shape}}/leave_float.log",
        conda:
            ENVIRONMENT
        params:
            code=fingerprint("leave_float"),
        script:
            "../scripts/leave_float.py"


rule build_engine:
    input:
        onnx=f"results/{BACKEND}/{CELL}/model.onnx",
        dataset="results/dataset.json",
    output:
        engine=f"results/{BACKEND}/{CELL}/engine{{build}}",
        record=f"results/{BACKEND}/{CELL}/engine{{build}}.json",
    log:
        f"logs/{BACKEND}/{CELL}/build_engine{{build}}.log",
    benchmark:
        f"logs/{BACKEND}/{CELL}/build_engine{{build}}.jsonl"
    conda:
        ENVIRONMENT
    params:
        backend=BACKEND,
        platform=PLATFORM,
        imgsz=config["imgsz"],
        options=options_of_build,
        code=fingerprint("build_engine", BACKEND),
    script:
        "../scripts/build_engine.py"


rule verify_engine:
    input:
        engine=f"results/{BACKEND}/{CELL}/engine{{build}}",
        record=f"results/{BACKEND}/{CELL}/engine{{build}}.json",
        onnx=f"results/{BACKEND}/{CELL}/model.onnx",
        reference="results/onnx/{model}-{shape}.onnx",
        weights="results/weights/{model}.json",
        dataset="results/dataset.json",
    output:
        f"results/{BACKEND}/{CELL}/verify{{build}}.json",
    log:
        f"logs/{BACKEND}/{CELL}/verify_engine{{build}}.log",
    benchmark:
        f"logs/{BACKEND}/{CELL}/verify_engine{{build}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        gpu=int(BACKEND == "tensorrt"),
    params:
        backend=BACKEND,
        imgsz=config["imgsz"],
        code=fingerprint("verify_engine", BACKEND),
    script:
        "../scripts/verify_engine.py"
