"""TensorRT engines that were built elsewhere."""

import shutil
from pathlib import Path

from speedmap import storage
from speedmap.engines.interface import ForeignError, Taken
from speedmap.engines.tensorrt import library
from speedmap.engines.tensorrt.cuda import Stream
from speedmap.engines.tensorrt.engine_file import check_types, deserialize, fits, output_name, profile, released


def take(given: Path, engine: Path, imgsz: int, classes: int) -> Taken:
    """Copy an engine that this TensorRT opens on this GPU; which precisions it runs is not known without its graph.

    Raises ForeignError, or the EngineError of one for another GPU or TensorRT, or with other inputs and outputs.
    """
    with Stream(), released():
        runtime, opened = deserialize(given, library.platform())
        check_types(opened, given)
        least, _likeliest, largest = profile(opened)
        rows = tuple(opened.get_tensor_shape(output_name(opened)))
        del opened, runtime
    if not fits((1, 3, imgsz, imgsz), least, largest):
        raise ForeignError(f"{given}: takes {list(least)} to {list(largest)}, not [1, 3, {imgsz}, {imgsz}]; set imgsz "
                           "to its size, or build it with a batch of 1")  # fmt: skip
    if len(rows) != 3 or rows[2] not in (5 + classes, -1):
        raise ForeignError(f"{given}: its output is {list(rows)}, but the data set has {classes} classes; give an "
                           "engine of these, whose rows are 5 + classes long")  # fmt: skip
    with storage.atomic(engine) as temporary:
        shutil.copyfile(given, temporary)
    return Taken("static" if least[2:] == largest[2:] else "dynamic", {})
