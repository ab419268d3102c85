"""Stand-ins made from TensorRT's real classes: what the class lacks, or its signature refuses, raises."""

import inspect
import re

import tensorrt_bindings as trt


def overloads(method):
    """Read the parameters of a bound C++ method off its docstring: [(name, type, has a default)] for each overload."""
    pattern = rf"(?:^|\n)(?:\d+\. )?{re.escape(method.__name__)}\(self: [^\n]*?((?:, [^\n]*)?)\) -> "
    found = []
    for match in re.finditer(pattern, method.__doc__ or ""):
        flat, deeper = match[1], None
        while flat != deeper:  # types have commas of their own
            flat, deeper = re.sub(r"\[[^\[\]]*\]|<[^<>]*>|\([^()]*\)", "", flat), flat
        found.append([_parameter(part) for part in flat.split(",")[1:]])
    return found


def _parameter(text):
    declared, default, _ = text.partition("=")
    name, _, kind = declared.partition(":")
    return name.strip(), kind.strip().rpartition(".")[2], bool(default)


def check(method, args, kwargs):
    """Raise TypeError unless an overload of a method takes these arguments."""
    known = overloads(method)
    if known and not any(_takes(parameters, args, kwargs) for parameters in known):
        raise TypeError(f"{method.__name__} takes {known}, not {args} {kwargs}")


def _takes(parameters, args, kwargs):
    names = [name for name, _, _ in parameters]
    if len(args) > len(names) or not set(kwargs) <= set(names[len(args) :]):
        return False
    given = dict(zip(names, args, strict=False)) | kwargs
    return all(_fits(given[name], kind) if name in given else default for name, kind, default in parameters)


def _fits(value, kind):
    """Return whether a value is of one of TensorRT's own types, which None and, for Dims, any sequence is taken for."""
    cls = getattr(trt, kind, None)
    if value is None or kind == "Dims" or not isinstance(cls, type):
        return True
    return issubclass(getattr(value, "_cls", type(value)), cls)


class StandIn:
    """An object of a real class that does what `behaviour` says of its members."""

    def __init__(self, cls, **behaviour):
        object.__setattr__(self, "_cls", cls)
        object.__setattr__(self, "_behaviour", behaviour)

    def __getattr__(self, name):
        member = inspect.getattr_static(self._cls, name, None)
        if member is None:
            raise AttributeError(f"{self._cls.__name__} has no attribute {name}")
        behaviour = self._behaviour.get(name)
        if isinstance(member, property):
            return behaviour

        def call(*args, **kwargs):
            check(getattr(self._cls, name), args, kwargs)
            return behaviour(*args, **kwargs) if callable(behaviour) else behaviour

        return call

    def __setattr__(self, name, value):
        member = inspect.getattr_static(self._cls, name, None)
        if not isinstance(member, property) or member.fset is None:
            raise AttributeError(f"{self._cls.__name__}.{name} cannot be set")
        self._behaviour[name] = value

    def __len__(self):
        return self._behaviour["__len__"]

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        return self._behaviour["__getitem__"](index)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __bool__(self):
        return True
