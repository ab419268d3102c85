"""The training images of the sample: drawn once on all cores, kept on the device, altered afresh for every step."""

import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from generate import QUALITY, SEED, draw

SIDE = 640  # pixels
FIRST_NUMBER = 100_000  # of the training images, far from those of the evaluation and the calibration
SHAPES = (6, 16)  # in a training image: more than in the others, so that a step learns from more
MOST_BOXES = SHAPES[1]
CHUNK = 32
GREY = 114.0  # round a letterboxed image


def dense(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a training image: uint8 [3, SIDE, SIDE] RGB after JPEG, and labels [MOST_BOXES, 5].

    A label is the class, -1 where there is none, and x1, y1, x2, y2 in pixels.
    """
    rng = np.random.default_rng((SEED, number))
    image, boxes, classes = draw(rng, (SIDE, SIDE), int(rng.integers(SHAPES[0], SHAPES[1] + 1)))
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    labels = np.full((MOST_BOXES, 5), -1, np.float32)
    labels[: len(boxes), 0] = classes
    labels[: len(boxes), 1:] = boxes
    return cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1), labels


def draw_chunk(path: Path, start: int) -> np.ndarray:
    """Draw CHUNK images into their place in the file; returns their labels [CHUNK, MOST_BOXES, 5]."""
    cv2.setNumThreads(1)  # the pool has a process a core already
    drawn = [dense(FIRST_NUMBER + index) for index in range(start, start + CHUNK)]
    np.load(path, mmap_mode="r+")[start : start + CHUNK] = [pixels for pixels, _ in drawn]
    return np.stack([labels for _, labels in drawn])


def draw_all(cache: Path, count: int, seconds: float) -> None:
    """Draw up to `count` training images on all cores, once, into the folder, for about so many seconds at most."""
    if (cache / "labels.npy").exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    path, labels, end = cache / "pixels.npy", [], time.monotonic() + seconds
    np.lib.format.open_memmap(path, "w+", np.uint8, (math.ceil(count / CHUNK) * CHUNK, 3, SIDE, SIDE)).flush()
    with ProcessPoolExecutor() as pool:
        for chunk in pool.map(partial(draw_chunk, path), range(0, count, CHUNK)):
            labels.append(chunk)
            if time.monotonic() > end:
                pool.shutdown(cancel_futures=True)
                break
    np.save(cache / "labels.part.npy", np.concatenate(labels))
    (cache / "labels.part.npy").replace(cache / "labels.npy")


def load_all(cache: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Load the drawn images into the device's memory: uint8 [n, 3, SIDE, SIDE] and labels [n, MOST_BOXES, 5].

    Takes at most an eighth of a GPU's free memory, as four processes share it.
    """
    stored, labels = np.load(cache / "pixels.npy", mmap_mode="r"), np.load(cache / "labels.npy")
    count = len(labels)
    if device.type == "cuda":
        count = min(count, int(torch.cuda.mem_get_info()[0] / 8 / stored[0].nbytes))
    pixels = torch.empty((count, *stored.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, count, 128):
        pixels[start : start + 128] = torch.from_numpy(stored[start : min(start + 128, count)].copy())
    return pixels, torch.from_numpy(labels[:count]).to(device)


@dataclass(frozen=True)
class View:
    """How images are altered.

    side: of the result in pixels. zoom: least and most result pixels for one of the original. bars: the least share of
    the width or height that grey bars leave.
    """

    side: int
    zoom: tuple[float, float]
    bars: float


def augment(pixels: Tensor, labels: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Zoom, cut, mirror sideways and tint images; every shape keeps its class under all of these.

    pixels: uint8 [n, 3, SIDE, SIDE]. labels: [n, MOST_BOXES, 5] as from `dense`. Returns float images [n, 3, side,
    side] in 0..1 and labels [n, MOST_BOXES, 5]: class, -1 where there is none, center x, y, width and height in pixels.
    All on the device and of fixed shapes, so that a CUDA graph can hold it. In the formulas an image reaches from -1
    to 1.
    """
    count, device = len(pixels), pixels.device
    low, high = (math.log(view.side / SIDE / zoom) for zoom in reversed(view.zoom))
    span = torch.empty((count, 1, 1), device=device).uniform_(low, high).exp()  # of the original, in the result
    mirror = torch.randint(0, 2, (count, 1, 1), device=device) * 2 - 1
    matrix = torch.diag_embed(torch.cat((span * mirror, span), 2)[:, 0])
    room = (1 - span).abs().clamp(min=0.1)
    shift = torch.empty((count, 1, 2), device=device).uniform_(-1, 1) * room
    bars = torch.empty((count, 1, 1), device=device).uniform_(view.bars, 1)
    window = torch.cat((bars, torch.ones_like(bars)), 2)
    window = torch.where(torch.rand((count, 1, 1), device=device) < 0.5, window, window.flip(2))

    grid = affine_grid(torch.cat((matrix, shift.transpose(1, 2)), 2), [count, 3, view.side, view.side], False)
    seen = (grid.abs() <= window[:, None]).all(3)[:, None]
    tint = torch.empty((count, 3, 1, 1), device=device).uniform_(0.8, 1.2)
    image = grid_sample(pixels - GREY, grid, align_corners=False) * (tint * seen) + GREY

    boxes = labels[..., 1:] * (2 / SIDE) - 1
    corners = boxes.unflatten(2, (2, 2)).clamp(-window[:, None], window[:, None])
    corners = (((corners - shift[:, None]) / span[:, None] ** 2)[..., None] * matrix[:, None, None]).sum(3)
    corners = ((corners + 1) * (view.side / 2)).clamp(0, view.side)
    least, most = corners.amin(2), corners.amax(2)
    whole = (boxes[..., 2:] - boxes[..., :2]).prod(2) * (view.side / 2 / span[..., 0]) ** 2
    kept = ((most - least).prod(2) > 0.6 * whole) & ((most - least).amin(2) > 4) & (labels[..., 0] >= 0)
    kinds = torch.where(kept, labels[..., 0], torch.full_like(labels[..., 0], -1))
    return (image / 255).clamp(0, 1), torch.cat((kinds[..., None], (least + most) / 2, most - least), 2)
