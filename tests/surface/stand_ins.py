"""Stand-ins made from TensorRT's real classes: what the class lacks, or its signature refuses, raises."""

import inspect
import re


def overloads(method):
    """Read the parameters of a bound C++ method off its docstring: [(name, has a default)] for each overload."""
    pattern = rf"(?:^|\n)(?:\d+\. )?{re.escape(method.__name__)}\(self: [^\n]*?((?:, [^\n]*)?)\) -> "
    found = []
    for match in re.finditer(pattern, method.__doc__ or ""):
        flat, deeper = match[1], None
        while flat != deeper:  # types have commas of their own
            flat, deeper = re.sub(r"\[[^\[\]]*\]|<[^<>]*>|\([^()]*\)", "", flat), flat
        found.append([(part.split(":")[0].strip(), "=" in part) for part in flat.split(",")[1:]])
    return found


def check(method, args, kwargs):
    """Raise TypeError unless an overload of a method takes these arguments."""
    known = overloads(method)
    if known and not any(_takes(parameters, args, kwargs) for parameters in known):
        raise TypeError(f"{method.__qualname__} takes {known}, not {args} {kwargs}")


def _takes(parameters, args, kwargs):
    names = [name for name, _ in parameters]
    given = {*names[: len(args)], *kwargs}
    return (
        len(args) <= len(names)
        and set(kwargs) <= set(names[len(args) :])
        and all(default or name in given for name, default in parameters)
    )


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
