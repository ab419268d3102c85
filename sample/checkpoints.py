"""The sample's checkpoint files: made, written, and scored."""

import json
import math
import sys
import time
from pathlib import Path

import safetensors.torch
import torch

from data import SIDE
from generate import EVALUATION
from shapes import NAMES

SAMPLE = Path(__file__).resolve().parent
sys.path.insert(0, str(SAMPLE.parent / "workflow" / "scripts"))
from speedmap.dataset import images, letterbox
from speedmap.model import (
    checkpoint,
    postprocess,
)
from speedmap.model.architecture import Architecture
from speedmap.model.yolov5 import YOLOv5, build

WIDTH = 1 / 8  # of the official number of channels
NOTHING = -math.log(len(NAMES) - 1)  # the logit of a class by chance


def log(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def target(folder: Path, size: str) -> Path:
    return folder / f"yolov5{size}-mini.safetensors"


def save(path: Path, network: YOLOv5) -> None:
    """Write the weights as float16, and the class names, in place of the old file only when complete."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    safetensors.torch.save_file(tensors, part, {"names": json.dumps(NAMES)})
    part.chmod(0o644)  # safetensors writes for the owner alone
    part.replace(path)


def create(size: str, start: Path | None) -> YOLOv5:
    """Make the network of a size, from the weights of a file where there is one that fits."""
    network = YOLOv5(Architecture.official(size, len(NAMES), WIDTH))
    with torch.no_grad():
        for conv in network.model[24].m:
            conv.bias.view(-1, 5 + len(NAMES))[:, 5:] = NOTHING
    if start and start.is_file():
        try:
            network.load_state_dict(checkpoint.load(start).tensors)
            log(f"{size}: starts from {start}")
        except Exception as problem:
            log(f"{size}: starts afresh, {start}: {problem}")
    return network


@torch.inference_mode()
def evaluate(path: Path, device: torch.device, folder: Path = SAMPLE) -> dict[str, float]:
    """Score a checkpoint file on the evaluation images at SIDE x SIDE; {} where pycocotools is not installed."""
    try:
        from speedmap.accuracy import evaluate as scoring
    except ImportError:
        return {}
    network, found = build(checkpoint.load(path).tensors).to(device), []
    for number in EVALUATION:
        image, placement = images.load(folder / "images" / f"{number:06}.jpg", SIDE, dynamic=False)
        output = network(torch.from_numpy(image).to(device))[0].float().cpu().numpy()
        result = postprocess.detect(output, conf=0.001, iou=0.65, max_det=300)
        mapped = postprocess.Detections(letterbox.to_image(result.boxes, placement), result.scores, result.classes)
        found += postprocess.to_coco(mapped, number, list(range(1, len(NAMES) + 1)))
    return scoring.evaluate(folder / "instances.json", found, EVALUATION)


def report(path: Path, device: torch.device) -> None:
    metrics = evaluate(path, device)
    log(path.name, " ".join(f"{key} {100 * value:.1f}" for key, value in metrics.items()) or "(no pycocotools, no mAP)")
