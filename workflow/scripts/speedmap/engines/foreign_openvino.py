"""OpenVINO models that were built elsewhere, read and checked."""

from pathlib import Path

import openvino
from openvino import Core, Model

from speedmap.engines.interface import ForeignError
from speedmap.graph.detector_graph import INPUT

FLOAT = openvino.Type.f32


def read(given: Path, imgsz: int, classes: int) -> tuple[Model, bool]:
    """Read an .xml with its .bin beside it; returns the model and whether its height and width are free.

    Raises ForeignError where it is no detector of so many classes for inputs of that size.
    """
    if given.suffix != ".xml":
        raise ForeignError(f"{given}: is no .xml, which OpenVINO's models are; give the .xml, its .bin beside it")
    if not given.with_suffix(".bin").is_file():
        raise ForeignError(f"{given.with_suffix('.bin')}: is not there, but has the weights of {given}; put it back")
    try:
        model = Core().read_model(given)
    except RuntimeError as error:
        raise ForeignError(f"{given}: no OpenVINO model, or damaged ({short(error)}); copy both files again") from error
    dynamic = _check(given, model, imgsz, classes)
    model.inputs[0].get_tensor().set_names({INPUT})
    return model, dynamic


def _check(given: Path, model: Model, imgsz: int, classes: int) -> bool:
    ends = [(port.get_element_type(), port.get_partial_shape()) for port in (*model.inputs, *model.outputs)]
    said = ", ".join(f"{kind.get_type_name()} {shape}" for kind, shape in ends)
    if len(ends) != 2 or any(kind != FLOAT for kind, _ in ends) or [len(shape) for _, shape in ends] != [4, 3]:
        raise ForeignError(f"{given}: has {said}, where float32 images [1, 3, height, width] and boxes [1, anchors, "
                           "5 + classes] are known; convert the detector alone")  # fmt: skip
    sides, rows = ([None if one.is_dynamic else one.get_length() for one in shape] for _, shape in ends)
    if sides[0] not in (1, None) or sides[1] != 3 or any(side not in (imgsz, None) for side in sides[2:]):
        raise ForeignError(f"{given}: takes {ends[0][1]}, not [1, 3, {imgsz}, {imgsz}]; set imgsz to its size, or "
                           "convert it with a batch of 1")  # fmt: skip
    if rows[2] not in (5 + classes, None):
        raise ForeignError(f"{given}: its output is {ends[1][1]}, but the data set has {classes} classes; give a model "
                           "of these, whose rows are 5 + classes long")  # fmt: skip
    return None in sides[2:]


def short(error: Exception) -> str:
    """Write an error of OpenVINO's in one line."""
    return " ".join(str(error).split())[:200]
