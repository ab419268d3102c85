"""Checkpoints as an attacker would make them; what they would do on being run is to leave a file called `ran`."""

import collections
import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

from speedmap.model.architecture import Architecture
from speedmap.model.yolov5 import YOLOv5

RUN = "touch ran"  # as a shell command
CODE = "open('ran', 'w')"  # as Python
HOSTILE: dict[str, Callable[[Path], None]] = {}
Pickle = bytes


def hostile(maker: Callable[[Path], None]) -> Callable[[Path], None]:
    """Add a maker of a file to the collection, under its own name."""
    HOSTILE[maker.__name__] = maker
    return maker


def tensors() -> dict[str, torch.Tensor]:
    """Return the state dict of a small sound network with 3 classes."""
    torch.manual_seed(0)
    return YOLOv5(Architecture.official("n", 3, 0.25)).state_dict()


def text(value: str) -> Pickle:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(path: str) -> Pickle:
    module, _, attribute = path.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*items: Pickle) -> Pickle:
    return b"(" + b"".join(items) + b"t"


def call(path: str, *arguments: Pickle) -> Pickle:
    return name(path) + tuple_of(*arguments) + b"R"


def mapping(**items: Pickle) -> Pickle:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def module(path: str, state: Pickle) -> Pickle:
    """Make an object of a class without calling it, and give it a state."""
    return name(path) + b")\x81" + state + b"b"


def storage(size: int, key: str = "0", kind: str = "FloatStorage") -> Pickle:
    number = b"\x8a\x08" + size.to_bytes(8, "little", signed=True)
    return tuple_of(text("storage"), name(f"torch.{kind}"), text(key), text("cpu"), number) + b"Q"


def integer(value: int) -> Pickle:
    return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)


def tensor(size: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], kind="FloatStorage") -> Pickle:
    sides = (tuple_of(*map(integer, values)) for values in (shape, strides))
    return call("torch._utils._rebuild_tensor_v2", storage(size, kind=kind), integer(offset), *sides, b"\x89",
                call("collections.OrderedDict"))  # fmt: skip


def write(path: Path, content: Pickle, data: bytes = bytes(64), members: dict[str, bytes] | None = None) -> None:
    """Write an archive as torch.save does, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + content + b".")
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", data)
        archive.writestr("archive/version", b"3\n")
        for member, value in (members or {}).items():
            archive.writestr(member, value)


def calls(title: str, path: str, *arguments: Pickle) -> None:
    """Add a checkpoint whose `model` is the result of a call."""

    def make(file: Path) -> None:
        write(file, mapping(model=call(path, *arguments)))

    make.__name__ = title
    hostile(make)


def state(title: str, change: Callable[[dict], None]) -> None:
    """Add a sound state dict with one thing wrong."""

    def make(file: Path) -> None:
        content = tensors()
        change(content)
        torch.save(content, file)

    make.__name__ = title
    hostile(make)


# code
calls("os_system", "os.system", text(RUN))
calls("posix_system", "posix.system", text(RUN))
calls("eval", "builtins.eval", text(CODE))
calls("eval_python2", "__builtin__.eval", text(CODE))
calls("exec", "builtins.exec", text(CODE))
calls("import", "builtins.__import__", text("antigravity"))
calls("popen", "subprocess.Popen", text(RUN))
calls("check_output", "subprocess.check_output", tuple_of(text("touch"), text("ran")))
calls("importlib", "importlib.import_module", text("antigravity"))
calls("runpy", "runpy.run_path", text("evil.py"))
calls("getattr_chain", "builtins.getattr", call("builtins.__import__", text("os")), text("system"))
calls("attrgetter", "operator.attrgetter", text("system"))
calls("partial", "functools.partial", name("os.system"), text(RUN))
calls("reconstructor", "copyreg._reconstructor", name("os._wrap_close"), name("builtins.object"), b"N")
calls("extension", "copyreg.add_extension", text("os"), text("system"), b"K\x01")
calls("pty", "pty.spawn", text("sh"))
calls("ctypes", "ctypes.CDLL", text("libc.so.6"))
calls("socket", "socket.create_connection", tuple_of(text("127.0.0.1"), b"K\x09"))
calls("rmtree", "shutil.rmtree", text("."))
calls("open", "io.open", text("ran"), text("w"))
calls("path_write", "pathlib.Path.write_text", call("pathlib.PosixPath", text("ran")), text("x"))
calls("nested_load", "torch.storage._load_from_bytes", text(""))
calls("torch_load", "torch.load", text("other.pt"))
calls("torch_save", "torch.save", text("x"), text("ran"))
calls("torch_hub", "torch.hub.load", text("evil/repo"), text("model"))
calls("torch_extension", "torch.utils.cpp_extension.load_inline", text("x"), text("int x;"))
calls("torch_library", "torch.ops.load_library", text("evil.so"))
calls("numpy_load", "numpy.load", text("evil.npy"))
calls("known_prefix", "models.common.os.system", text(RUN))
calls("known_module", "torch.nn.modules.module.os.system", text(RUN))
calls("nested_reduce", "collections.OrderedDict", b"](" + call("os.system", text(RUN)) + b"e")


@hostile
def build_with_a_call(path):
    write(path, mapping(model=module("models.yolo.Model", mapping(a=call("os.system", text(RUN))))))


@hostile
def setstate_of_a_class(path):
    write(path, mapping(model=name("models.yolo.Model") + mapping(__setstate__=name("os.system")) + b"b"))


@hostile
def slots_of_a_tensor(path):
    write(path, mapping(model=tensor(4, 0, (4,), (1,)) + tuple_of(b"N", mapping(__class__=name("os.system"))) + b"b"))


@hostile
def instance_opcode(path):
    write(path, b"(" + text(RUN) + b"ios\nsystem\n")


@hostile
def object_opcode(path):
    write(path, b"(" + name("os.system") + text(RUN) + b"o")


@hostile
def stack_global(path):
    write(path, text("os") + text("system") + b"\x93" + tuple_of(text(RUN)) + b"R")


@hostile
def extension_opcode(path):
    write(path, b"\x82\x01" + tuple_of(text(RUN)) + b"R")


@hostile
def legacy_pickle(path):
    path.write_bytes(b"\x80\x02" + call("os.system", text(RUN)) + b".")


@hostile
def legacy_torch(path):
    torch.save(tensors(), path, _use_new_zipfile_serialization=False)


@hostile
def torchscript(path):
    with torch.no_grad():
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


# size
@hostile
def a_large_array_of_bytes(path):
    write(path, mapping(model=call("builtins.bytearray", integer(10**11))))


@hostile
def a_large_tensor(path):
    write(path, mapping(model=call("torch.FloatTensor", integer(10**11))))


calls("a_large_storage", "torch.storage.UntypedStorage", integer(10**11))


@hostile
def codec_doubling(path):
    content = call("_codecs.encode", text("x" * 100), text("latin1"))
    for _ in range(40):
        content = call("_codecs.encode", content, text("hex"))
    write(path, mapping(model=content))


@hostile
def storage_declared_huge(path):
    write(path, mapping(model=mapping(w=tensor(10**12, 0, (10**12,), (1,)))))


@hostile
def storage_declared_too_large(path):
    write(path, mapping(model=mapping(w=tensor(10**4, 0, (10**4,), (1,)))))


@hostile
def storage_of_negative_size(path):
    write(path, mapping(model=mapping(w=tensor(-16, 0, (4,), (1,)))))


@hostile
def storage_missing(path):
    write(path, mapping(model=mapping(w=storage(16, "no/such"))))


@hostile
def view_beyond_the_storage(path):
    write(path, mapping(model=mapping(w=tensor(16, 0, (1000, 1000), (1000, 1)))))


@hostile
def offset_beyond_the_storage(path):
    write(path, mapping(model=mapping(w=tensor(16, 10**9, (4,), (1,)))))


@hostile
def negative_strides(path):
    write(path, mapping(model=mapping(w=tensor(16, 8, (4,), (-1,)))))


@hostile
def negative_shape(path):
    write(path, mapping(model=mapping(w=tensor(16, 0, (-4,), (1,)))))


@hostile
def repeated_without_memory(path):
    write(path, mapping(model=mapping(w=tensor(16, 0, (10**6, 10**6), (0, 0), "HalfStorage"))))


@hostile
def the_same_storage_often(path):
    content = {**tensors(), **{f"copy{i}": torch.zeros(2**20, dtype=torch.half) for i in range(1)}}
    content |= {f"copy{i}": content["copy0"] for i in range(1, 4000)}
    torch.save(content, path)


@hostile
def deflated(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + mapping(model=tensor(10**8, 0, (10**8,), (1,))) + b".")
        with archive.open("archive/data/0", "w", force_zip64=True) as member:
            for _ in range(400):
                member.write(bytes(10**6))


@hostile
def overlapping_members(path):
    members = {f"archive/data/{i}": b"" for i in range(1, 3000)}
    write(path, mapping(model=b"}"), bytes(10**6), members)
    content = bytearray(path.read_bytes())
    first = content.find(b"PK\x01\x02")
    entry = content.find(b"archive/data/0", first) - 46
    sizes, offset = content[entry + 16 : entry + 28], content[entry + 42 : entry + 46]
    position = entry
    while (position := content.find(b"PK\x01\x02", position + 46)) > 0:
        content[position + 16 : position + 28], content[position + 42 : position + 46] = sizes, offset
    path.write_bytes(content)


@hostile
def many_members(path):
    write(path, mapping(model=b"}"), members={f"archive/data/{i}": b"" for i in range(1, 60_000)})


@hostile
def member_that_lies_about_its_size(path):
    write(path, mapping(model=mapping(w=tensor(2**28, 0, (2**28,), (1,)))))
    content = bytearray(path.read_bytes())
    entry = content.find(b"archive/data/0", content.find(b"PK\x01\x02")) - 46
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**30, 2**30)
    path.write_bytes(content)


@hostile
def two_directories(path):
    write(path, mapping(model=mapping(w=tensor(16, 0, (16,), (1,)))))
    good = path.read_bytes()
    deflated(path)
    path.write_bytes(path.read_bytes() + good)


def members(title: str, *names: str, link: bool = False) -> None:
    """Add a sound state dict with more members in its archive."""

    def make(file: Path) -> None:
        torch.save(tensors(), file)
        with zipfile.ZipFile(file, "a") as archive:
            for member in names:
                info = zipfile.ZipInfo(member)
                info.external_attr = (stat.S_IFLNK if link else stat.S_IFREG) << 16
                archive.writestr(info, "/etc/passwd" if link else "x")

    make.__name__ = title
    hostile(make)


members("member_above", "../ran")
members("member_absolute", "/tmp/ran")
members("member_windows", "..\\ran")
members("member_link", "archive/data/link", link=True)
members("member_twice", "state/data.pkl", "state/data.pkl")
members("second_pickle", "a/data.pkl")


@hostile
def truncated(path):
    torch.save(tensors(), path)
    path.write_bytes(path.read_bytes()[:-5000])


@hostile
def cut_in_the_middle(path):
    write(path, mapping(model=b"}"))
    path.write_bytes(path.read_bytes()[:200] + path.read_bytes()[260:])


@hostile
def wrong_magic(path):
    torch.save(tensors(), path)
    path.write_bytes(b"XX" + path.read_bytes()[2:])


@hostile
def html(path):
    path.write_text("<html>404</html>")


@hostile
def empty(path):
    path.write_bytes(b"")


@hostile
def pickle_cut_off(path):
    write(path, b"}(X\xff\xff\xff\xff" + b"x")


@hostile
def deep_nesting(path):
    write(path, mapping(model=b"]" * 300_000 + b"a" * 299_999))


@hostile
def deep_tuples_as_names(path):
    bomb = text("x") + b"\x85" * 100_000
    write(path, mapping(model=module("models.yolo.Model", mapping(names=b"](" + bomb + b"e"))))


@hostile
def billion_laughs(path):
    bomb = b"(" + text("ha") * 10 + b"tq\x01"
    for _ in range(30):
        bomb += b"(" + b"h\x01" * 10 + b"tq\x01"
    network = module("models.yolo.Model", mapping(names=b"](" + b"h\x01" + b"e"))
    write(path, mapping(before=b"](" + bomb + b"e", model=network))


@hostile
def many_opcodes(path):
    write(path, mapping(model=b"](" + b"N" * 20_000_000 + b"e"))


@hostile
def huge_integer(path):
    write(path, mapping(model=b"\x8b" + struct.pack("<i", 10**6) + bytes(10**6)))


@hostile
def module_in_itself(path):
    one = module("models.yolo.Model", mapping(_modules=b"}q\x02")) + b"q\x03"
    write(path, mapping(model=one, after=b"h\x02" + text("self") + b"h\x03s"))


def nested(path: Path, levels: int, children: Callable[[int], Pickle]) -> None:
    """Write a network whose modules hold each other: `children` fill the dict of a level with the one at hand, h1."""
    leaf = module("torch.nn.modules.conv.Conv2d", b"}") + b"q\x01"
    inner = [module("torch.nn.modules.conv.Conv2d", mapping(_modules=children(level))) + b"q\x01"
             for level in range(levels)]  # fmt: skip
    write(path, mapping(before=b"](" + leaf + b"".join(inner) + b"e", model=b"h\x01"))


@hostile
def wide_modules(path):
    nested(path, 10, lambda _level: b"}(" + b"".join(text(str(i)) + b"h\x01" for i in range(1000)) + b"u")


@hostile
def modules_with_long_names(path):
    long = text("n" * 100_000) + b"q\x02"
    nested(path, 5000, lambda level: b"}" + (b"h\x02" if level else long) + b"h\x01s")


@hostile
def state_that_is_no_state(path):
    write(path, mapping(model=module("models.yolo.Model", mapping(_modules=b"]", _parameters=b"K\x01"))))


@hostile
def names_of_two_kinds(path):
    names = b"}(" + b"K\x01" + text("a") + text("b") + text("c") + b"u"
    write(path, mapping(model=module("models.yolo.Model", mapping(names=names))))


# networks
def set_to(key: str, value: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict], None]:
    return lambda content: content.update({key: value(content[key])})


WEIGHT, HEAD, ANCHORS = "model.1.conv.weight", "model.24.m.0.weight", "model.24.anchors"
state("nan_anchors", set_to(ANCHORS, lambda old: old * float("nan")))
state("negative_anchors", set_to(ANCHORS, lambda old: -old))
state("huge_anchors", set_to(ANCHORS, lambda old: old * 1e30))
state("no_anchors", set_to(ANCHORS, lambda old: old[:, :0]))
state("flat_anchors", set_to(ANCHORS, lambda old: old[0, 0, 0]))
state("four_strides", set_to(ANCHORS, lambda old: torch.cat((old, old[:1]))))
state("nan_weights", set_to(WEIGHT, lambda old: old * float("nan")))
state("infinite_weights", set_to(WEIGHT, lambda old: old / 0))
state("negative_variance", set_to("model.1.bn.running_var", lambda old: old - 10))
state("complex_weights", set_to(WEIGHT, lambda old: old * 1j))
state("integer_weights", set_to(WEIGHT, lambda old: old.long()))
state("sparse_weights", set_to(WEIGHT, lambda old: old.flatten(1).to_sparse()))
state("meta_weights", set_to(WEIGHT, lambda old: old.to("meta")))
state("absurd_classes", set_to(HEAD, lambda old: torch.zeros(10**7, 0)))
state("no_classes", set_to(HEAD, lambda old: old[:3]))
state("absurd_channels", set_to("model.0.conv.weight", lambda old: torch.zeros(10**5, 0)))
state("channels_without_memory", set_to("model.0.conv.weight", lambda old: torch.zeros(1).expand(10**5, 3, 6, 6)))
state("scalar_weights", set_to("model.0.conv.weight", lambda old: torch.zeros(())))
state("another_shape", set_to(WEIGHT, lambda old: old.transpose(2, 3)[:, :1]))


@hostile
def names_that_are_numbers(path):
    torch.save({7: torch.zeros(2), **tensors()}, path)


@hostile
def counted(path):
    torch.save({"model": collections.Counter(a=1), **tensors()}, path)


@hostile
def a_pickled_tensor_of_objects(path):
    path.write_bytes(pickle.dumps({"model": "no network"}))


# safetensors
def header(title: str, content: dict | bytes, data: bytes = bytes(16), length: int | None = None) -> None:
    """Add a .safetensors file with any header."""

    def make(file: Path) -> None:
        head = content if isinstance(content, bytes) else json.dumps(content).encode()
        file.write_bytes(struct.pack("<Q", len(head) if length is None else length) + head + data)

    make.__name__ = f"safetensors_{title}"
    hostile(make)


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


header("header_too_long", {}, length=2**62)
header("header_of_nothing", b"", length=0)
header("header_no_json", b"{" * 1000)
header("header_deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
header("beyond_the_file", {"model.24.anchors": entry(0, 10**12, [25 * 10**10])})
header("shape_that_lies", {"model.24.anchors": entry(0, 16, [10**9, 10**9])})
header("shape_overflows", {"model.24.anchors": entry(0, 16, [2**33, 2**33])})
header("negative", {"model.24.anchors": entry(0, 16, [-4])})
header("overlap", {"a": entry(0, 16, [4]), "model.24.anchors": entry(8, 16, [2])})
header("unknown_type", {"model.24.anchors": entry(0, 16, [4], "F7")})


@hostile
def safetensors_names_deep(path):
    safetensors.torch.save_file(tensors(), path, {"names": "[" * 100_000})


@hostile
def safetensors_names_no_text(path):
    safetensors.torch.save_file(tensors(), path, {"names": "[[1], {}, null]"})


@hostile
def safetensors_nothing_behind_absurd_sides(path):
    content = tensors() | {"model.0.conv.weight": torch.zeros(10**6, 0)}
    safetensors.torch.save_file(content, path)
