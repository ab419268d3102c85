"""One network's training: the step, and the loop that goes on until the time is up."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from checkpoints import log, save
from data import SIDE, View, augment
from loss import detection_loss
from speedmap.model.architecture import STRIDES
from speedmap.model.yolov5 import YOLOv5

FINAL = View(SIDE, (0.75, 1.4), 0.55)  # as the images of the evaluation are
SMALL = View(384, (0.5, 0.9), 1.0)  # most of an image, smaller: more steps
SMALL_SHARE = 0.6  # of the time
AHEAD = 8  # steps between two marks; the queue holds those of two at most
AVERAGED = 0.998  # of the averaged weights stays at each step


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
