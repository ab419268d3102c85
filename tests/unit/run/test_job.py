"""What a job's step is called with."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from speedmap.run.job import run_step

WORKFLOW = Path(__file__).parents[3] / "workflow"
RULES = {
    match[1]: match[0]
    for path in (WORKFLOW / "rules").glob("*.smk")
    for match in re.finditer(r"^rule (\w+):\n(?:(?: .*)?\n)*", path.read_text(), re.MULTILINE)
}


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sides = {"wildcards": {"model": "m", "shape": "static"}, "input": {"onnx": "a.onnx", "engines": ["e.json"]},
             "output": {"out": "b.npz"}, "params": {"imgsz": 64, "code": "abc"}}  # fmt: skip
    return SimpleNamespace(log=["logs/job.log"], **sides)


def test_a_step_takes_what_it_names_of_a_job_and_no_more(job):
    taken = {}

    def step(model: str, onnx: str, imgsz: int, log: str, out: str, images: int = 3) -> None:
        taken.update(locals())

    run_step(step, job, out="c.npz")
    assert {name: taken[name] for name in ("model", "onnx", "imgsz", "log", "out", "images")} == {
        "model": "m", "onnx": "a.onnx", "imgsz": 64, "log": "logs/job.log", "out": "c.npz", "images": 3}  # fmt: skip


def test_a_step_that_fails_or_lacks_something_leaves_its_reason_in_the_log(job):
    def step(nowhere: str) -> None:
        raise AssertionError

    with pytest.raises(SystemExit):
        run_step(step, job)
    assert "missing 1 required positional argument: 'nowhere'" in Path("logs/job.log").read_text().splitlines()[-1]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_all_that_its_step_needs(rule):
    tree = ast.parse((WORKFLOW / f"scripts/{rule}.py").read_text())
    step = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == rule)
    calls = (node for node in ast.walk(tree.body[-1]) if isinstance(node, ast.Call))
    (call,) = (node for node in calls if ast.unparse(node.func) == "run_step")
    needed = step.args.args[: len(step.args.args) - len(step.args.defaults)]
    given = {*re.findall(r"(\w+)=", RULES[rule]), *re.findall(r"{(\w+)}", RULES[rule]), "log"}
    given |= {keyword.arg for keyword in call.keywords}
    helpers = (WORKFLOW / "rules/inputs.smk").read_text()
    for helper in re.findall(r"unpack\((\w+)\)|given=(\w+)", RULES[rule]):
        body = helpers.partition(f"def {''.join(helper)}(")[2].partition("\n\n\n")[0]
        given |= set(re.findall(r'"(\w+)":', body))
    assert {argument.arg for argument in needed} <= given


@pytest.mark.parametrize("rule", RULES)
def test_a_name_means_one_thing_in_a_rule(rule):
    names = re.findall(r"^ {8}(\w+)=", RULES[rule], re.MULTILINE)
    assert len(names) == len(set(names))
