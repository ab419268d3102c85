"""Train the sample checkpoints: YOLOv5 s, m, l, x at an eighth of their official widths, on drawn images.

`python sample/train.py --all --minutes 9` draws the training images, trains the four side by side on one GPU and
writes sample/yolov5{s,m,l,x}-mini.safetensors; `--evaluate` prints the mAP of those that are there.
"""

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from checkpoints import SAMPLE, create, log, report, target
from data import draw_all, load_all
from training import Plan, Training, train

TIME = {"s": 0.7, "m": 0.8, "l": 0.9, "x": 1.0}  # a larger network gets the GPU for longer
DRAWING, AFTERWARDS = 30, 35  # seconds to draw the images; to measure and evaluate after training


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
