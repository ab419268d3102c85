"""Train the sample checkpoints: YOLOv5 s, m, l, x at an eighth of their official widths, on drawn images.

`python sample/train.py --all --minutes 5` draws the training images, trains the four side by side on one GPU and
writes sample/yolov5{s,m,l,x}-mini.safetensors; `--evaluate` prints the mAP of those that are there.
"""

import argparse
import json
import math
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import safetensors.torch
import torch
from generate import EVALUATION, NAMES, numbered
from loss import detection_loss
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

SAMPLE = Path(__file__).resolve().parent
sys.path.insert(0, str(SAMPLE.parent / "workflow" / "scripts"))
from speedmap import checkpoint, detections, geometry, images  # noqa: E402
from speedmap.yolov5 import STRIDES, Layout, YOLOv5, build  # noqa: E402

WIDTH = 1 / 8  # of the official number of channels
SIDE, FIRST_SIDE = 640, 416  # pixels; the first half of the time goes to smaller and so to more images
FIRST_NUMBER = 100_000  # of the training images, far from those of the evaluation and the calibration
MOST_BOXES = 15
GREY = images.FILL / 255


def log(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def drawn(number: int) -> tuple[bytes, np.ndarray, np.ndarray]:
    cv2.setNumThreads(1)  # the pool has a process a core already
    return numbered(number)


def draw_all(cache: Path, count: int) -> Path:
    """Draw `count` training images on all cores, once, into a file of the folder: JPEG bytes, boxes, classes."""
    path = cache / f"{count}.pickle"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        log(f"drawing {count} training images")
        with ProcessPoolExecutor() as pool:
            content = list(pool.map(drawn, range(FIRST_NUMBER, FIRST_NUMBER + count), chunksize=16))
        path.with_suffix(".part").write_bytes(pickle.dumps(content))
        path.with_suffix(".part").replace(path)
    return path


def fitted(item: tuple[bytes, np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor]:
    """Decode one drawn image to its network input: uint8 [3, SIDE, SIDE] RGB, and labels [MOST_BOXES, 5].

    A label is the class, -1 where there is none, and x1, y1, x2, y2 in input pixels.
    """
    jpeg, boxes, classes = item
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    placement = geometry.place(*image.shape[:2], SIDE, dynamic=False)
    pixels = (images.letterbox(image, placement)[0] * 255).round().astype(np.uint8)
    top, left = placement.offset
    scale = placement.resized[1] / image.shape[1], placement.resized[0] / image.shape[0]
    labels = np.full((MOST_BOXES, 5), -1, np.float32)
    labels[: len(boxes), 0] = classes
    labels[: len(boxes), 1:] = boxes * (scale * 2) + (left, top, left, top)
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def load_all(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Decode the drawn images into the device's memory: uint8 [n, 3, SIDE, SIDE] and labels [n, MOST_BOXES, 5]."""
    items = pickle.loads(path.read_bytes())
    pixels = torch.empty((len(items), 3, SIDE, SIDE), dtype=torch.uint8, device=device)
    labels = torch.empty((len(items), MOST_BOXES, 5), device=device)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(items), 256):  # in chunks, lest the decoded images pile up beside the device's
            for index, (image, boxes) in enumerate(pool.map(fitted, items[start : start + 256]), start):
                pixels[index], labels[index] = image, boxes
    return pixels, labels


def augment(pixels: Tensor, labels: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Zoom, shift, mirror, transpose and tint images; every shape keeps its class under all of these.

    pixels: uint8 [n, 3, SIDE, SIDE]. labels: [n, MOST_BOXES, 5] as from `fitted`. Returns float images [n, 3, side,
    side] in 0..1 and labels [t, 6]: index of the image, class, center x, y, width and height in pixels.
    """
    count, device = len(pixels), pixels.device
    mirror = torch.randint(0, 2, (count, 2), device=device) * 2 - 1
    zoom = torch.empty((count, 1), device=device).uniform_(math.log(0.65), math.log(1.5)).exp() * mirror
    shift = torch.empty((count, 2), device=device).uniform_(-0.25, 0.25)
    theta = torch.cat((torch.diag_embed(1 / zoom), shift[..., None]), 2)  # from output to input, both in -1..1
    grid = torch.nn.functional.affine_grid(theta, [count, 3, side, side], align_corners=False)
    tint = torch.empty((count, 3, 1, 1), device=device).uniform_(0.75, 1.25)
    image = torch.nn.functional.grid_sample(pixels / 255 - GREY, grid, align_corners=False) * tint + GREY

    corners = labels[..., 1:].unflatten(2, (2, 2)) * (2 / SIDE) - 1
    corners = ((corners - shift[:, None, None]) * zoom[:, None, None] + 1) * (side / 2)
    if torch.rand(()) < 0.5:
        image, corners = image.transpose(2, 3), corners.flip(3)
    full_low, full_high = corners.amin(2), corners.amax(2)
    low, high = full_low.clamp(0, side), full_high.clamp(0, side)
    inside = (high - low).prod(2) / (full_high - full_low).prod(2).clamp(min=1e-6)
    kept = (labels[..., 0] >= 0) & (inside > 0.3) & ((high - low).amin(2) > 3)
    where = kept.nonzero()[:, :1]
    return image.clamp(0, 1), torch.cat((where, labels[kept][:, :1], ((low + high) / 2)[kept], (high - low)[kept]), 1)


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


def learning_rate(share: float, peak: float) -> float:
    """Return the rate after a share of the time: a short rise, then half a cosine to zero."""
    return peak * min(1, share / 0.03) * (1 + math.cos(math.pi * min(share, 1))) / 2


def weight_groups(network: YOLOv5) -> list[dict]:
    """Let only the convolutions' weights decay, not the biases and norms."""
    parameters = list(network.parameters())
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": 0.02},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def train(size: str, data: tuple[Tensor, Tensor], out: Path, minutes: float, batch: int, peak: float) -> None:
    """Train one size for so many minutes; the file holds the averaged weights, afresh each minute and at the end."""
    pixels, labels = data
    device = pixels.device
    network = YOLOv5(Layout.official(size, len(NAMES), WIDTH)).to(device, memory_format=torch.channels_last).train()
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimizer = torch.optim.AdamW(weight_groups(network), lr=peak, betas=(0.9, 0.99))
    head, start, step, said, saved = network.model[24], time.monotonic(), 0, 0.0, 0.0
    while (seconds := time.monotonic() - start) < minutes * 60:
        share = seconds / (minutes * 60)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(share, peak)
        chosen = torch.randint(len(pixels), (batch,), device=device)
        image, wanted = augment(pixels[chosen], labels[chosen], FIRST_SIDE if share < 0.5 else SIDE)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            features = network.features(image.contiguous(memory_format=torch.channels_last))
            heads = [conv(feature) for conv, feature in zip(head.m, features, strict=True)]
        parts = detection_loss(heads, head.anchors, STRIDES, wanted)
        optimizer.zero_grad()
        (parts.sum() * 10).backward()  # keeps the gradients far from AdamW's epsilon
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        averaged.update_parameters(network)
        step += 1
        if seconds - said > 10:
            losses = " ".join(f"{part:.4f}" for part in parts.tolist())
            log(f"{size}: {seconds:.0f} s, step {step}, box, object, class loss {losses}")
            said = seconds
        if seconds - saved > 60:
            save(out, averaged.module)
            saved = seconds
    save(out, averaged.module)
    log(f"{size}: {step} steps, {out} {out.stat().st_size} bytes")


@torch.inference_mode()
def evaluate(path: Path, device: torch.device, folder: Path = SAMPLE) -> dict[str, float]:
    """Score a checkpoint file on the evaluation images at SIDE x SIDE; {} where pycocotools is not installed."""
    try:
        from speedmap import coco
    except ImportError:
        return {}
    network, found = build(checkpoint.load(path).tensors).to(device), []
    for number in EVALUATION:
        image, placement = images.load(folder / "images" / f"{number:06}.jpg", SIDE, dynamic=False)
        output = network(torch.from_numpy(image).to(device))[0].float().cpu().numpy()
        result = detections.detect(output, conf=0.001, iou=0.65, max_det=300)
        mapped = detections.Detections(geometry.to_image(result.boxes, placement), result.scores, result.classes)
        found += detections.to_coco(mapped, number, list(range(1, len(NAMES) + 1)))
    return coco.evaluate(folder / "instances.json", found, EVALUATION)


def report(path: Path, device: torch.device) -> None:
    metrics = evaluate(path, device)
    log(path.name, " ".join(f"{key} {100 * value:.1f}" for key, value in metrics.items()) or "(no pycocotools, no mAP)")


def train_all(arguments: list[str]) -> int:
    """Train the four sizes side by side, each in a process of its own; returns the worst exit status."""
    children = [subprocess.Popen([sys.executable, __file__, *arguments, "--size", size]) for size in "xlms"]
    return max(abs(child.wait()) for child in children)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=tuple("smlx"), help="train or evaluate this one")
    parser.add_argument("--all", action="store_true", help="train all four at once")
    parser.add_argument("--evaluate", action="store_true", help="print the mAP of the checkpoints, train nothing")
    parser.add_argument("--minutes", type=float, default=5, help="of training (default: %(default)s)")
    parser.add_argument("--images", type=int, default=6144, help="to train on (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="images a step (default: %(default)s)")
    parser.add_argument("--peak", type=float, default=3e-3, help="learning rate (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/speedmap-sample"), help="folder for the drawn images")
    parser.add_argument("--folder", type=Path, default=SAMPLE, help="of the checkpoints (default: %(default)s)")
    options = parser.parse_args()
    if not (options.all or options.size or options.evaluate):
        parser.error("say --size, --all or --evaluate")
    return options


def main() -> int:
    options = parse()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.evaluate:
        for size in options.size or "smlx":
            report(options.folder / f"yolov5{size}-mini.safetensors", device)
        return 0
    cache = draw_all(options.cache, options.images)
    if options.all:
        return train_all([argument for argument in sys.argv[1:] if argument != "--all"])
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    out = options.folder / f"yolov5{options.size}-mini.safetensors"
    data = load_all(cache, device)
    log(f"{options.size}: {len(data[0])} images on {device}")
    train(options.size, data, out, options.minutes, options.batch, options.peak)
    report(out, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
