import cv2
import numpy as np
import pytest
import torch

from helpers.networks import SIZE
from speedmap.graph import export
from speedmap.model import yolov5
from speedmap.model.architecture import Architecture
from speedmap.quantization import calibration


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(0)
    network = yolov5.YOLOv5(Architecture.official("n", 3, width=1 / 8))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    for conv in network.model[24].m:  # so that what the body says can be seen in the output
        torch.nn.init.normal_(conv.weight, std=conv.in_channels**-0.5)
    with torch.no_grad():
        network.train()(torch.nn.functional.interpolate(torch.rand(32, 3, 8, 8), size=SIZE, mode="bicubic"))
    return network.eval().fuse()


@pytest.fixture(scope="session")
def graph(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    export.export(network, path, SIZE, dynamic=True)
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for index in range(8):
        smooth = cv2.resize(random.integers(0, 256, (6, 8, 3), np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index}.png"), smooth)
    return sorted(folder.glob("*"))


@pytest.fixture(scope="session")
def statistics(graph, pictures):
    return calibration.collect(graph, pictures, SIZE)
