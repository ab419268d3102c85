"""Parts of a graph as graphs of their own, so that what a change leaves as it was need not be computed again."""

from collections.abc import Collection, Iterable

from onnx import ModelProto, NodeProto, ValueInfoProto, helper


def depending(nodes: Iterable[NodeProto], tensors: Collection[str]) -> list[NodeProto]:
    """List the nodes, in the order in which they run, that need any of some tensors."""
    changed, dependent = set(tensors), []
    for node in nodes:
        if changed.intersection(node.input):
            dependent.append(node)
            changed.update(node.output)
    return dependent


def leading(nodes: Iterable[NodeProto], tensors: Collection[str], known: Collection[str]) -> list[NodeProto]:
    """List the nodes that compute some tensors from known ones."""
    wanted, needed = set(tensors) - set(known), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            needed.append(node)
            wanted.update(name for name in node.input if name not in known)
    return needed[::-1]


def read(nodes: Collection[NodeProto]) -> list[str]:
    """Name what nodes read that none of them makes: inputs and initializers."""
    made = {name for node in nodes for name in node.output}
    return list(dict.fromkeys(name for node in nodes for name in node.input if name and name not in made))


def part(model: ModelProto, nodes: Collection[NodeProto], outputs: Iterable[str]) -> ModelProto:
    """Make a graph of some nodes of a model, from all that they read of others to some of what they make.

    Its inputs have the shapes that the model knows of its tensors.
    """
    graph, names = model.graph, read(nodes)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    shaped = {value.name: value for value in (*graph.value_info, *graph.input)}
    inputs = [shaped[name] for name in names if name not in constants]
    weights = [constants[name] for name in names if name in constants]
    cut = helper.make_graph(nodes, graph.name, inputs, [ValueInfoProto(name=name) for name in outputs], weights)
    return helper.make_model(cut, opset_imports=model.opset_import, ir_version=model.ir_version)
