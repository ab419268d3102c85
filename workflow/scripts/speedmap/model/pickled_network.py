"""The network in a pickled checkpoint, whatever it is wrapped in, as data: its modules' states, not their code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

from torch import Tensor

MOST_MODULES, LONGEST_NAME = 10_000, 200  # an official file has 300 modules
MOST_WRAPPERS = 8
# Where trainings keep a network, the averaged one first, which is the one to evaluate.
KEYS = ("ema", "model_ema", "ema_model", "ema_state_dict", "module", "shadow", "model", "state_dict",
        "model_state_dict", "model_state", "network", "net", "weights")  # fmt: skip
LAYERS = {"Sequential", "ModuleList"}
COUNTERS = ("total_ops", "total_params")  # that thop leaves in every module
STALE = "anchor_grid"  # in some files; it follows from the anchors


@dataclass(frozen=True)
class Named:
    """What is asked for by name of a module's state, as PyTorch and YOLOv5 name it; None for what is not there.

    f: the layers that it reads. d: the dimension that it joins. add, shortcut: whether it has a residual.
    """

    _modules: Any = None
    _parameters: Any = None
    _buffers: Any = None
    _forward_hooks: Any = None
    _forward_pre_hooks: Any = None
    eps: Any = None
    f: Any = None
    d: Any = None
    add: Any = None
    shortcut: Any = None
    names: Any = None

    @classmethod
    def of(cls, state: dict) -> "Named":
        return cls(**{one.name: state[one.name] for one in fields(cls) if one.name in state})

    @property
    def hooks(self) -> dict:
        return {**(self._forward_hooks or {}), **(self._forward_pre_hooks or {})}

    @property
    def modules(self) -> dict[str, "Module"]:
        return {name: child for name, child in (self._modules or {}).items() if isinstance(child, Module)}

    @property
    def tensors(self) -> dict[str, Tensor]:
        held = {**(self._parameters or {}), **(self._buffers or {})}
        return {name: tensor for name, tensor in held.items() if isinstance(tensor, Tensor)}


class Module:
    """Stands in for any class of a pickled network: holds its state, has no behaviour."""

    name = ""
    state: dict = {}  # noqa: RUF012 as long as the file gives it none

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}

    def __setitem__(self, key: object, value: object) -> None:
        """Take what a mapping of a class is filled with, and forget it."""

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def named(self) -> Named:
        return Named.of(self.state)

    @property
    def modules(self) -> dict[str, "Module"]:
        return self.named.modules


def find(content: object, depth: int = 0) -> Module | dict[str, Tensor] | None:
    """Return the network in what a checkpoint holds, unwrapped: a module, or a state dict; None where there is none."""
    if depth > MOST_WRAPPERS:
        return None
    if isinstance(content, Module):
        return _unwrapped(content)
    if isinstance(content, dict):
        inside = [content[key] for key in KEYS if key in content]
    else:
        inside = content if isinstance(content, list | tuple) else []
    if (network := next(filter(None, (find(one, depth + 1) for one in inside)), None)) or not isinstance(content, dict):
        return network
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)} or None


def _unwrapped(module: Module) -> Module:
    """Go into whatever holds a network in `model`, `module` or `ema`: AutoShape, DataParallel, ModelEMA."""
    for _ in range(MOST_WRAPPERS):
        held = {**module.state, **module.modules}
        inside = [held.get(key) for key in ("ema", "module", "model")]
        inner = next((one for one in inside if isinstance(one, Module) and one.kind not in LAYERS), None)
        if inner is None:
            break
        module = inner
    return module


def children(module: Module) -> Iterator[tuple[str, Module]]:
    """Yield the named modules below one, itself first; ValueError where they are endless or too many."""
    stack, seen = [("", module)], 0
    while stack:
        prefix, current = stack.pop()
        seen += 1
        if seen + len(stack) + len(current.modules) > MOST_MODULES or len(prefix) > LONGEST_NAME:
            raise ValueError("modules that contain themselves, or too many of them")
        yield prefix, current
        stack += [(f"{prefix}{name}.", child) for name, child in current.modules.items()]


def tensors(module: Module) -> dict[str, Tensor]:
    """Name a module's tensors as its state dict would."""
    held = {}
    for prefix, child in children(module):
        held |= {prefix + name: tensor for name, tensor in child.named.tensors.items()}
    return plain(held)


def plain(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what no layer computes with, and multiply pruned tensors with their masks."""
    kept = {name: tensor for name, tensor in named.items() if name.rpartition(".")[2] not in (*COUNTERS, STALE)}
    for name in [name for name in kept if name.endswith("_mask") and f"{name[:-5]}_orig" in kept]:
        original = f"{name[:-5]}_orig"
        kept[name[:-5]] = kept.pop(original) * kept.pop(name)
    return kept


def official(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a state dict as the official modules do, `model.0.conv.weight`, and leave others out.

    Of several networks in it the averaged one is taken, known by `ema` in its prefix.
    """
    prefixes = [match[1] for name in named if (match := re.match(r"(.*?)(?:(?<=\.)|^)model\.0\.", name))]
    if not prefixes:
        layers = any(name.startswith("0.conv.") for name in named)
        return {f"model.{name}": tensor for name, tensor in named.items()} if layers else dict(named)
    prefix = next(chain((one for one in prefixes if "ema" in one), prefixes))
    return {name.removeprefix(prefix): tensor for name, tensor in named.items() if name.startswith(prefix)}
