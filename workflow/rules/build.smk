"""From checkpoint and images to a verified engine.

Each job asks for one thread, so that models go side by side, and since the small matrices of calibration are multiplied
many times as fast by one thread as by several that wait for one another. ONNX Runtime uses all cores all the same.
"""


rule convert_labels:
    input:
        data=local(SETTINGS.dataset.data or []),
        images=folder_of("images"),
    output:
        annotations="results/labels/instances.json",
        calibration="results/labels/calibration.txt",
    log:
        "logs/convert_labels.log",
    conda:
        ENVIRONMENT
    params:
        stamp=stamp_of_labels,
        wanted=INT8["images"],
        code=fingerprint("convert_labels"),
    script:
        "../scripts/convert_labels.py"


rule check_dataset:
    input:
        images=folder_of("images"),
        annotations=place_of(SETTINGS.dataset.annotations),
        calibration=folder_of("calibration"),
    output:
        out="results/dataset.json",
        image_set="results/images.json",  # stays as it is when a box changes
    log:
        "logs/check_dataset.log",
    conda:
        ENVIRONMENT
    params:
        dataset={"name": SETTINGS.dataset.name, "limit": SETTINGS.dataset.limit, "data": SETTINGS.dataset.data},
        stamp=stamp_of_images,
        imgsz=config["imgsz"],
        wanted=INT8["images"] if "int8" in config["precisions"] else 0,
        code=fingerprint("check_dataset"),
    script:
        "../scripts/check_dataset.py"


rule read_weights:
    input:
        weights=weights_of,
        image_set="results/images.json",
    output:
        out="results/weights/{model}.safetensors",
        record="results/weights/{model}.json",
    log:
        "logs/read_weights/{model}.log",
    priority: 1  # a wrong checkpoint is told before the others' long work
    conda:
        ENVIRONMENT
    params:
        source=source_of_weights,
        is_onnx=is_onnx,
        imgsz=config["imgsz"],
        stamp=stamp_of_weights,
        code=fingerprint("read_weights"),
    script:
        "../scripts/read_weights.py"


rule export_onnx:
    input:
        weights="results/weights/{model}.safetensors",
        image_set="results/images.json",
    output:
        static="results/onnx/{model}-static.onnx",
        dynamic="results/onnx/{model}-dynamic.onnx",
        record="results/onnx/{model}.json",
    log:
        "logs/export_onnx/{model}.log",
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
        image_set="results/images.json",
    output:
        out="results/calibration/{model}.npz",
    log:
        "logs/calibrate/{model}.log",
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
        image_set="results/images.json",
    output:
        out="results/calibration/{model}-{backend}.json",
    log:
        "logs/choose_float/{model}-{backend}.log",
    conda:
        ENVIRONMENT
    params:
        imgsz=config["imgsz"],
        options=INT8,
        target=target_of_int8,
        code=fingerprint("choose_float"),
    script:
        "../scripts/choose_float.py"


rule type_fp16:
    input:
        source="results/onnx/{model}-{shape}.onnx",
    output:
        out="results/{backend}/{model}-fp16-{shape}/model.onnx",
    log:
        "logs/{backend}/{model}-fp16-{shape}/type_fp16.log",
    wildcard_constraints:
        shape="static|dynamic",
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("type_fp16"),
    script:
        "../scripts/type_fp16.py"


rule type_int8:
    input:
        unpack(calibration_of),
        source="results/onnx/{model}-{shape}.onnx",
    output:
        out="results/{backend}/{model}-int8-{shape}/model.onnx",
    log:
        "logs/{backend}/{model}-int8-{shape}/type_int8.log",
    wildcard_constraints:
        shape="static|dynamic",
    conda:
        ENVIRONMENT
    params:
        options=INT8,
        target=target_of_int8,
        code=fingerprint("type_int8"),
    script:
        "../scripts/type_int8.py"


rule change_batch:
    input:
        source="results/{backend}/{model}-{precision}-static/model.onnx",
    output:
        out="results/{backend}/{model}-{precision}-static-b{batch}/model.onnx",
    log:
        "logs/{backend}/{model}-{precision}-static-b{batch}/change_batch.log",
    conda:
        ENVIRONMENT
    params:
        code=fingerprint("change_batch"),
    script:
        "../scripts/change_batch.py"


rule build_engine:
    input:
        onnx="results/{backend}/{model}-{precision}-{shape}/model.onnx",
        image_set="results/images.json",
    output:
        engine="results/{backend}/{model}-{precision}-{shape}/engine{build}",
        record="results/{backend}/{model}-{precision}-{shape}/engine{build}.json",
    log:
        "logs/{backend}/{model}-{precision}-{shape}/build_engine{build}.log",
    conda:
        ENVIRONMENT
    params:
        platform=PLATFORM,
        imgsz=config["imgsz"],
        options=options_of_build,
        implicit=implicit_of,
        code=fingerprint_with_backend("build_engine"),
    script:
        "../scripts/build_engine.py"


rule verify_engine:
    input:
        engine="results/{backend}/{model}-{precision}-{shape}/engine{build}",
        record="results/{backend}/{model}-{precision}-{shape}/engine{build}.json",
        onnx="results/{backend}/{model}-{precision}-{shape}/model.onnx",
        reference=reference_of,
        weights="results/weights/{model}.json",
        image_set="results/images.json",
    output:
        out="results/{backend}/{model}-{precision}-{shape}/verify{build}.json",
    log:
        "logs/{backend}/{model}-{precision}-{shape}/verify_engine{build}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=int(BACKEND == "tensorrt"),
    params:
        imgsz=config["imgsz"],
        code=fingerprint_with_backend("verify_engine"),
    script:
        "../scripts/verify_engine.py"
