"""Train the sample checkpoints: YOLOv5 s, m, l, x at an eighth of their official widths, on drawn images.

`python sample/train.py --all --minutes 9` draws the training images, trains the four side by side on one GPU and
writes sample/yolov5{s,m,l,x}-mini.safetensors; `--evaluate` prints the mAP of those that are there.
"""

import argparse
import copy
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from data import SIDE, View, augment, draw_all, load_all
from generate import EVALUATION, NAMES
from loss import detection_loss

SAMPLE = Path(__file__).resolve().parent
sys.path.insert(0, str(SAMPLE.parent / "workflow" / "scripts"))
from speedmap import checkpoint, detections, geometry, images  # noqa: E402
from speedmap.yolov5 import STRIDES, Layout, YOLOv5, build  # noqa: E402

WIDTH = 1 / 8  # of the official number of channels
FINAL = View(SIDE, (0.75, 1.4), 0.55)  # as the images of the evaluation are
SMALL = View(384, (0.5, 0.9), 1.0)  # most of an image, smaller: more steps
SMALL_SHARE = 0.6  # of the time
TIME = {"s": 0.7, "m": 0.8, "l": 0.9, "x": 1.0}  # a larger network gets the GPU for longer
DRAWING, AFTERWARDS = 30, 35  # seconds to draw the images; to measure and evaluate after training
AHEAD = 8  # steps between two marks; the queue holds those of two at most
AVERAGED = 0.998  # of the averaged weights stays at each step
NOTHING = -math.log(len(NAMES) - 1)  # the logit of a class by chance


def log(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


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
    network = YOLOv5(Layout.official(size, len(NAMES), WIDTH))
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


def weight_groups(network: YOLOv5) -> list[dict]:
    """Let only the convolutions' weights decay, not the biases and norms."""
    parameters = list(network.parameters())
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": 0.02},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


@dataclass(frozen=True)
class Training:
    """What a step reads and changes, in fixed places of the device's memory."""

    network: YOLOv5
    averaged: YOLOv5
    optimizer: torch.optim.Optimizer
    data: tuple[Tensor, Tensor]
    rate: Tensor  # of learning, to be filled anew between steps
    keep: Tensor  # how much of the averaged weights stays, likewise

    @classmethod
    def of(cls, network: YOLOv5, data: tuple[Tensor, Tensor]) -> "Training":
        network = network.to(data[0].device, memory_format=torch.channels_last).train()
        rate, keep = torch.zeros(2, device=data[0].device).unbind()
        fast = {"fused": True, "capturable": True} if rate.is_cuda else {}
        optimizer = torch.optim.AdamW(weight_groups(network), lr=1e-3, betas=(0.9, 0.99), **fast)
        for group in optimizer.param_groups:
            group["lr"] = rate
        return cls(network, copy.deepcopy(network), optimizer, data, rate, keep)

    def batch(self, view: View, count: int) -> tuple[Tensor, Tensor]:
        pixels, labels = self.data
        chosen = torch.randint(len(pixels), (count,), device=pixels.device)
        image, wanted = augment(pixels[chosen], labels[chosen], view)
        return image.contiguous(memory_format=torch.channels_last), wanted

    def step(self, view: View, count: int) -> Tensor:
        """Learn from one batch; returns the box, object, class and dense class losses [4]."""
        image, wanted = self.batch(view, count)
        head = self.network.model[24]
        with torch.autocast(image.device.type, torch.bfloat16, image.is_cuda, cache_enabled=False):
            features = self.network.features(image)
            heads = [conv(feature) for conv, feature in zip(head.m, features, strict=True)]
        parts = detection_loss(heads, head.anchors, STRIDES, wanted)
        self.optimizer.zero_grad(set_to_none=True)
        (parts.sum() * 10).backward()  # keeps the gradients far from AdamW's epsilon
        parameters, averages = list(self.network.parameters()), list(self.averaged.parameters())
        torch.nn.utils.clip_grad_norm_(parameters, 30.0)  # against a rare bad batch: the usual norm is 3 to 10
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(averages, self.keep)
            torch._foreach_add_(averages, torch._foreach_mul(parameters, 1 - self.keep))
        return parts.detach()

    @torch.no_grad()
    def measured(self, batches: int, count: int) -> YOLOv5:
        """Copy the averaged network with the norms' means and variances over some batches, as evaluation uses them."""
        network = copy.deepcopy(self.averaged).train()
        norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain average
        for _ in range(batches):
            network.features(self.batch(FINAL, count)[0])
        return network.eval()


def repeatable(step: Callable[[], Tensor], device: torch.device, eager: bool) -> Callable[[], Tensor]:
    """Return what does the step again and again: on a GPU by one launch of a CUDA graph, else step by step."""
    if eager or device.type != "cuda":
        return step
    for _ in range(4):  # steps like any others, but they also choose the kernels and make room for the workspaces
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        losses = step()

    def replay() -> Tensor:
        graph.replay()
        return losses

    return replay


def wait(mark: torch.cuda.Event | None) -> torch.cuda.Event:
    """Sleep, rather than spin, until the GPU has come to a mark; returns a new one behind all that is queued."""
    if mark:
        mark.synchronize()
    mark = torch.cuda.Event(blocking=True)
    mark.record()
    return mark


def learning_rate(share: float) -> float:
    """Return the rate after a share of the time, of the peak: a short rise, then half a cosine to zero."""
    return min(1, share / 0.02) * (1 + math.cos(math.pi * min(share, 1))) / 2


@dataclass(frozen=True)
class Plan:
    """How to train: seconds since the epoch at which to stop, images a step, learning rate, whether without graphs."""

    stop: float
    batch: int
    peak: float
    eager: bool


def train(size: str, training: Training, plan: Plan, out: Path) -> None:
    """Train until the time is up; the file holds the averaged weights, afresh each minute and at the end."""
    device = training.keep.device
    begin, steps, last, said, saved, mark = time.time(), 0, 0, time.time(), time.time(), None
    phases = ((SMALL, plan.batch, SMALL_SHARE), (FINAL, max(1, plan.batch // 2), 1.0))
    for view, count, until in phases:
        step = None
        while (share := (time.time() - begin) / max(plan.stop - begin, 1e-3)) < until:
            training.rate.fill_(learning_rate(share) * plan.peak)
            training.keep.fill_(min(AVERAGED, (1 + steps) / (10 + steps)))
            if step is None:
                step = repeatable(lambda view=view, count=count: training.step(view, count), device, plan.eager)
                log(f"{size}: {view.side} pixels, {count} images a step, prepared in {time.time() - begin:.0f} s")
            losses = step()
            steps += 1
            if device.type == "cuda" and steps % AHEAD == 0:
                mark = wait(mark)  # lest the steps queue up past the end
            if time.time() - said > 10:
                parts = " ".join(f"{part:.4f}" for part in losses.tolist())
                speed = (steps - last) / (time.time() - said)
                log(f"{size}: {100 * share:.0f} %, step {steps}, {speed:.1f} a second, loss {parts}")
                if not math.isfinite(losses.sum()):
                    raise FloatingPointError(f"{size}: the loss is no longer finite")
                said, last = time.time(), steps
            if time.time() - saved > 60:
                save(out, training.measured(10, 16))
                saved = time.time()
    save(out, training.measured(*((100, 16) if device.type == "cuda" else (4, 4))))
    log(f"{size}: {steps} steps, {out} {out.stat().st_size} bytes")


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


def target(folder: Path, size: str) -> Path:
    return folder / f"yolov5{size}-mini.safetensors"


def train_one(options: argparse.Namespace) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(2 if device.type == "cuda" else 1)
    torch.manual_seed("smlx".index(options.size))
    torch.backends.cudnn.benchmark = True
    data = load_all(options.cache, device)
    log(f"{options.size}: {len(data[0])} images on {device}")
    training = Training.of(create(options.size, options.start and target(options.start, options.size)), data)
    out = target(options.folder, options.size)
    plan = Plan(options.stop or time.time() + options.minutes * 60, options.batch, options.peak, options.eager)
    if device.type == "cuda":
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):  # a graph is not captured on the default one
            train(options.size, training, plan, out)
            torch.cuda.synchronize()
    else:
        train(options.size, training, plan, out)
    report(out, device)


def attend(size: str, options: argparse.Namespace, stop: float) -> int:
    """Train a size in a process of its own; if that fails, once more, plainly and with less memory."""
    command = [sys.executable, __file__, "--size", size, "--cache", options.cache, "--folder", options.folder]
    command += ["--peak", options.peak, "--stop", stop]
    status, start = 1, options.start
    for extra in (["--batch", options.batch], ["--batch", max(1, options.batch // 2), "--eager"]):
        began = time.time()
        words = [*command, *extra, *(["--start", start] if start else [])]
        try:
            status = subprocess.run([str(word) for word in words], timeout=stop + 90 - began).returncode
        except subprocess.TimeoutExpired:
            status = 124
        log(f"{size}: exit status {status} after {time.time() - began:.0f} s")
        if status == 0 or stop - time.time() < 40:
            break
        out = target(options.folder, size)
        start = options.folder if out.exists() and out.stat().st_mtime > began else options.start
    return status


def train_all(options: argparse.Namespace, begin: float) -> int:
    """Train the four sizes side by side until `minutes` after `begin` are over; returns the worst exit status."""
    seconds = options.minutes * 60
    after = min(AFTERWARDS, 0.2 * seconds)
    stops = {size: begin + (seconds - after) * share for size, share in TIME.items()}
    with ThreadPoolExecutor(len(stops)) as pool:
        return max(map(abs, pool.map(lambda item: attend(item[0], options, item[1]), reversed(stops.items()))))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=tuple("smlx"), help="train or evaluate this one")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="train all four at once")
    what.add_argument("--evaluate", action="store_true", help="print the mAP of the checkpoints, train nothing")
    parser.add_argument("--minutes", type=float, default=9, help="in all (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4096, help="to train on (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images a step at first (default: %(default)s)")
    parser.add_argument("--peak", type=float, default=3e-3, help="learning rate (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/speedmap-sample"), help="folder for the drawn images")
    parser.add_argument("--folder", type=Path, default=SAMPLE, help="of the checkpoints (default: %(default)s)")
    parser.add_argument("--start", type=Path, help="folder of checkpoints to start from")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--stop", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.all or options.size or options.evaluate):
        parser.error("say --size, --all or --evaluate")
    return options


def main() -> int:
    options, begin = parse(), time.time()
    if options.evaluate:
        for size in options.size or "smlx":
            report(target(options.folder, size), torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        return 0
    if not options.stop:
        log(f"drawing up to {options.images} training images")
        draw_all(options.cache, options.images, DRAWING)
    if options.all:
        return train_all(options, begin)
    train_one(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
