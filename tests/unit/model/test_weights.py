import json

import pytest
import safetensors.torch
import torch

from speedmap.model import weights, yolov5
from speedmap.model.weights import WeightsError


@pytest.fixture
def file(tmp_path):
    """Weights of a small network that tells a, b and c apart, in this order."""
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(yolov5.random("n", 3).state_dict(), path, {"names": '["a", "b", "c"]'})
    return path


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["a", "b"], "has 3 classes but dataset.annotations has 2 categories"),
        (["a", "c", "b"], "in another order ('b' where that has 'c'); number the categories as the model does"),
    ],
)
def test_other_classes_than_the_data_sets_are_refused(file, tmp_path, classes, message):
    with pytest.raises(WeightsError) as caught:
        weights.normalise("yolov5n", str(file), classes, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("classes", [["a", "b", "c"], ["car", "bus", "cat"]])
def test_names_may_differ_as_long_as_they_are_not_the_same_in_another_order(file, tmp_path, classes):
    assert weights.normalise("yolov5n", str(file), classes, tmp_path / "out").names == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("names", "classes", "refused"),
    [
        (["Bus", "car", "dog"], ["BUS", "Car ", "dog"], False),
        (["Bus", "car", "dog"], ["car", "BUS", "dog"], True),
        (["Traffic Light", "car", "dog"], ["car", "dog", "traffic_light"], True),
        (["person", "car", "dog"], ["car", "person", "cat"], True),  # two of three are known by name
        (["0", "1", "2"], ["1", "2", "3"], False),  # numbered from nought, and from one
        (["0", "1", "2"], ["2", "1", "0"], True),
        (["a", "b"], ["a", "b", "c"], False),
    ],
)
def test_class_names_are_compared_without_case_and_space(tmp_path, names, classes, refused):
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(yolov5.random("n", 3).state_dict(), file, {"names": json.dumps(names)})
    if refused:
        with pytest.raises(WeightsError, match="in another order"):
            weights.normalise("yolov5n", str(file), classes, tmp_path / "out")
    else:
        weights.normalise("yolov5n", str(file), classes, tmp_path / "out")


def test_what_was_written_tells_the_order_of_its_classes(file, tmp_path):
    weights.normalise("yolov5n", str(file), ["a", "b", "c"], tmp_path / "mine.safetensors")
    with pytest.raises(WeightsError, match="in another order"):
        weights.normalise("yolov5n", str(tmp_path / "mine.safetensors"), ["c", "b", "a"], tmp_path / "out")


@pytest.mark.parametrize("name", ["yolov5s6", "yolov5x6-mine", "yolov5s-seg", "yolov5m_cls", "yolov5lite", "mine"])
def test_random_weights_are_of_no_other_network_than_the_name_says(tmp_path, name):
    with pytest.raises(WeightsError, match="need a model name with yolov5n, s, m, l or x in it"):
        weights.normalise(name, "random", ["a"], tmp_path / "out")


@pytest.mark.parametrize(("name", "parameters"), [("yolov5n", 1.8e6), ("my-yolov5n-v7.0", 1.8e6), ("yolov5s_640", 7e6)])
def test_random_weights_have_the_size_in_the_name(tmp_path, name, parameters):
    made = weights.normalise(name, "random", ["a"], tmp_path / "out").parameters
    assert made == pytest.approx(parameters, rel=0.05)
