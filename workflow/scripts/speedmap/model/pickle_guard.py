"""What a PyTorch archive from strangers may hold, checked before torch opens it."""

import pickletools
import re
import sys
import zipfile
from encodings import aliases, normalize_encoding
from pathlib import Path, PurePosixPath

from speedmap.model.file_kind import STATE_DICT, CheckpointError

# What checkpoints name: modules of the network, of torch and of what wraps them, plain data, and tensors. Stand-ins
# replace the first two; of what torch itself knows only this much is let through: the rest can take any memory.
MODULES = ("models.yolo.", "models.common.", "models.experimental.", "utils.activations.", "utils.torch_utils.ModelEMA",
           "yolov5.models.", "torch.nn.modules.", "torch.nn.parallel.", "torch.nn.utils.prune.", "torch.optim.",
           "torch.distributed.", "timm.utils.model_ema.")  # fmt: skip
DATA = {"argparse.Namespace", "types.SimpleNamespace", "collections.defaultdict",
        "builtins.dict", "builtins.list",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype",
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "datetime.datetime",
        "pathlib.PosixPath", "pathlib.WindowsPath",
        "pathlib._local.PosixPath", "pathlib._local.WindowsPath"}  # fmt: skip
TENSORS = re.compile(
    r"torch\._utils\._rebuild_(tensor_v2|parameter)|torch\.(nn\.parameter\.Parameter|Size|device)|"
    r"torch\.((B?Float16|Float|Half|Double|Long|Int|Short|Char|Byte|Bool)Storage|b?float\d+|u?int\d+|bool)|"
    r"collections\.OrderedDict|_codecs\.encode|builtins\.set"
)
STEPS = {  # of a pickle
    "PROTO", "GLOBAL", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "BINUNICODE", "SHORT_BINSTRING", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND",
    "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "NEWOBJ", "REDUCE", "BUILD", "BINPERSID", "BINPUT",
    "LONG_BINPUT", "BINGET", "LONG_BINGET", "STOP",
}  # fmt: skip
RUNNING = {*sys.stdlib_module_names, "copy_reg", "nt", "numpy", "dill", "cloudpickle", "joblib", "pip"}
LARGEST_PICKLE, MOST_STEPS = 2**24, 500_000  # an official file has 0.1 MB and 35 000
PROTOCOL = 2
MOST_MEMBERS = 20_000  # an official file has 370
GETATTR = {"builtins.getattr"}
FUSED = {"forward_fuse", "fuseforward", "fuse_forward"}  # methods that upstream's fuse() binds to a layer
NOT_TORCH = "which PyTorch never writes; do not trust this file"


def standins(path: Path) -> list[str]:
    """Name the classes that a checkpoint wants and is not to get.

    Raises CheckpointError for a file that would take more memory than its own size, or that asks for anything but
    tensors, plain data and the classes of a YOLOv5.
    """
    with zipfile.ZipFile(path) as archive:
        pickled = _pickle_of(path, archive)
        wanted, texts = _read(path, archive.read(pickled))
    names = {name.replace(" ", ".").replace("__builtin__.", "builtins.") for name in wanted}
    replaced = sorted(name for name in names if name.startswith(MODULES) or name in DATA)
    if alien := sorted(name for name in names.difference(replaced) if not TENSORS.fullmatch(name)):
        raise CheckpointError(f"{path}: {_objection(alien, texts)}")
    if "_codecs.encode" in names and (codecs := sorted(filter(_is_no_text_codec, texts))):
        raise CheckpointError(f"{path}: encodes data as {codecs[0]}, {NOT_TORCH}")
    return replaced


def _objection(alien: list[str], texts: set[str]) -> str:
    """Return what a file is that asks for these names; only functions are a reason for distrust."""
    shown = repr(", ".join(alien[:5])[:200])
    if any(name.startswith("ultralytics.nn.") for name in alien):
        return (f"is of Ultralytics' newer package (YOLOv8, YOLOv5u, YOLO11, YOLO26 ...): it holds {shown}; speedmap "
                "reads YOLOv5 v5.0 to v7.0, as the repository ultralytics/yolov5 trains them")  # fmt: skip
    if GETATTR.issuperset(alien) and FUSED & texts:
        return f"holds a network that is fused, with methods bound to its layers, which is code; {STATE_DICT}"
    if any(map(_runs, alien)):
        return f"asks for {shown}, which no YOLOv5 checkpoint needs; nothing of it was run, do not trust this file"
    return f"asks for {shown}, of another program than YOLOv5; nothing of it was run; if it is a YOLOv5, {STATE_DICT}"


def _runs(name: str) -> bool:
    """Return whether a name may be of a function that does harm: of Python itself, or a function of torch."""
    package, attribute = name.partition(".")[0], name.rpartition(".")[2]
    return package in RUNNING or (package == "torch" and not attribute.lstrip("_")[:1].isupper())


def _pickle_of(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Find the pickle in an archive that two readers cannot understand in two ways, and that holds what it says."""
    members = archive.infolist()
    pickles = [member for member in members if PurePosixPath(member.filename).name == "data.pkl"]
    if len(pickles) != 1 or len({member.filename for member in members}) < len(members):
        raise CheckpointError(f"{path}: has {len(pickles)} pickles or two members of one name, {NOT_TORCH}")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise CheckpointError(f"{path}: has compressed members, {NOT_TORCH}")
    root = PurePosixPath(pickles[0].filename).parts[0]
    if any(member.filename.partition("/")[0] != root or "/.." in member.filename for member in members):
        raise CheckpointError(f"{path}: has members outside of {root}/, {NOT_TORCH}")
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > path.stat().st_size:
        raise CheckpointError(f"{path}: has {len(members)} members, which overlap or are too many; do not trust it")
    if archive.comment or members[0].header_offset or pickles[0].file_size > LARGEST_PICKLE:
        raise CheckpointError(f"{path}: has a comment, more before the archive, or a pickle of {pickles[0].file_size} "
                              f"bytes, {NOT_TORCH}")  # fmt: skip
    return pickles[0]


def _read(path: Path, pickle: bytes) -> tuple[set[str], set[str]]:
    """List the names that a pickle asks for and all of its texts; runs none of it."""
    wanted, texts = set(), set()
    for number, (step, value, _position) in enumerate(pickletools.genops(pickle)):
        if number == MOST_STEPS:
            raise CheckpointError(f"{path}: its pickle has over {number} steps, official ones 35000; do not trust it")
        protocol = value if step.name == "PROTO" else PROTOCOL if number else "0 or 1"
        if protocol != PROTOCOL:
            raise CheckpointError(
                f"{path}: was saved with pickle protocol {protocol}, not with {PROTOCOL}, its default; {STATE_DICT}"
            )
        if step.name not in STEPS:
            raise CheckpointError(f"{path}: its pickle has the step {step.name} {value}, {NOT_TORCH}")
        if step.name == "GLOBAL":
            wanted.add(value)
        elif isinstance(value, str | bytes):
            texts.add(value if isinstance(value, str) else value.decode("latin1"))
    return wanted, texts


def _is_no_text_codec(name: str) -> bool:
    """Return whether a text names an encoding of bytes as bytes (hex, zlib), by which a few steps fill any memory."""
    plain = normalize_encoding(name[:40]).lower()
    return aliases.aliases.get(plain, plain).endswith("_codec")
