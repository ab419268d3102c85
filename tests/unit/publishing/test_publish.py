import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs, to_builtins

from helpers.record_factory import PLATFORM, SHA, accuracy, experiment, speed, write
from speedmap.publishing import folders, history, index
from speedmap.publishing import publish as publishing
from speedmap.publishing.provenance import describe
from speedmap.publishing.publish import PublishError
from speedmap.results import checks, records
from speedmap.results.cell import Cell
from speedmap.results.cell_result import gather
from speedmap.results.findings import WrongPrecision
from speedmap.results.inventory import PublishedDataset
from speedmap.results.prepared import Engine
from speedmap.results.reported import Manifest, Source
from speedmap.results.timing_findings import HalvesDiffer, OthersUsedCpu

FP16, INT8 = (Cell("tensorrt", "yolov5s", precision, "static") for precision in ("fp16", "int8"))
IN_FLOAT = WrongPrecision("int8", {"fp32": 1.0})
SMALL = Cell("tensorrt", "yolov5n", "fp16", "static")


def publish(paths, others, force=False):
    target = Path("results/published") / folders.folder("tensorrt", PLATFORM)
    publishing.publish(paths, others, target, folders.identity("tensorrt", PLATFORM), force)
    return target


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_names_device_and_version():
    assert folders.folder("tensorrt", PLATFORM) == "rtx-2060-tensorrt10.3"
    assert folders.folder("tensorrt", {"gpu": "NVIDIA H100 80GB HBM3", "tensorrt": "8.6.1"}) == "h100-tensorrt8.6"
    assert folders.folder("tensorrt", {"gpu": "NVIDIA A100-SXM4-80GB", "tensorrt": "11"}) == "a100-sxm4-80gb-tensorrt11"
    assert folders.folder("openvino", {"device": "AMD (2 cores)", "openvino": "1.2"}) == "amd-2-cores-openvino1.2"


def test_a_folder_of_another_device_is_not_overwritten(results):
    paths, others = results()
    target = publish(paths, others)
    other = folders.identity("tensorrt", {**PLATFORM, "gpu": "NVIDIA RTX 2060 12GB"})
    with pytest.raises(PublishError, match="holds results of NVIDIA RTX 2060; move it"):
        publishing.publish(paths, others, target, other, True)


def test_records_are_copied_and_found_again(results):
    paths, others = results()
    target = publish(paths, others)
    rows = gather(folders.recorded(target))
    assert rows == gather(paths)
    assert rows[0].engine == records.read(Path(others[0]), Engine)
    assert records.read(target / "dataset.json", PublishedDataset).images == 3


def test_what_is_no_longer_measured_is_no_longer_published(results):
    paths, others = results()
    publish(paths, others)
    target = publish(paths[:2], others)
    assert not (target / "tensorrt/yolov5s-int8-static/speed.json").exists()


def test_folders_beside_what_is_published_stay(results):
    target = publish(*results())
    write(target / "typed/two/tensorrt/yolov5s-int8-static/speed.json", speed(INT8))
    (target / "README.md").write_text("what to know")
    before = content(target)
    publish(*results())
    assert content(target).keys() == before.keys()


def test_a_copy_that_fails_leaves_what_was_published(results):
    paths, others = results()
    target = publish(paths, others)
    before = content(target)
    write(paths[0], structs.replace(speed(FP16), imgsz=320))
    with pytest.raises(FileNotFoundError, match=r"gone\.json"):
        publish(paths[:2], [*others, "results/gone.json"])
    assert content(target) == before


def test_a_copy_that_cannot_take_its_place_leaves_a_baseline(results):
    paths, others = results()
    target = publish(paths, others)
    (target / "table.md").mkdir()
    with pytest.raises(IsADirectoryError):
        publish(paths[:2], [*others, write("results/table.md", "a table")])
    assert len(gather(folders.recorded(target))) == 2
    assert not list(target.glob("**/*.part"))


def test_a_further_build_belongs_to_its_cell(results):
    paths, others = results()
    again = write("results/tensorrt/yolov5s-fp16-static/speed.2.json", speed(FP16))
    assert checks.checked([again]) == [again]
    target = publish([*paths, again], others)
    first, second = gather(folders.recorded(target))
    assert first.builds == (speed(FP16),)
    assert (first.medians, second.medians, second.builds) == ([2.0, 2.0], [2.0], ())
    content = json.loads(Path(again).read_text())
    del content["samples_ms"]
    write(again, json.dumps(content))
    with pytest.raises(records.RecordError, match=r"speed\.2\.json: .*missing required field `samples_ms`"):
        checks.checked([again])


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"dirty": True}, "dirty"),
        ({"commit": None}, "no commit is known"),
        ({"invalid": [IN_FLOAT]}, "int8-static is invalid: asked for int8 but runs 100% fp32"),
    ],
)
def test_what_cannot_stand_is_refused_unless_forced(results, facts, named):
    paths, others = results(**facts)
    with pytest.raises(PublishError, match=named):
        publish(paths, others)
    assert not Path("results/published").exists()
    assert named in str(records.read(publish(paths, others, force=True) / "published.json", Manifest).objections)


def test_the_baseline_is_the_newest_of_this_device(results):
    target = publish(*results())
    old = Path("results/published/older")
    facts = records.read(target / "published.json", Manifest)
    write(old / "published.json", structs.replace(facts, published="2020-01-01T00:00:00+00:00"))
    assert folders.baseline(None, "tensorrt", {**PLATFORM, "tensorrt": "11"}) == target
    assert folders.baseline(str(old), "tensorrt", PLATFORM) == old
    with pytest.raises(PublishError, match="nothing is published for GTX"):
        folders.baseline(None, "tensorrt", {**PLATFORM, "gpu": "GTX"})
    with pytest.raises(PublishError, match="holds no published results"):
        folders.baseline("nowhere", "tensorrt", PLATFORM)


def test_the_index_has_a_row_a_device_and_model(results):
    publish(*results())
    found = index.entries(Path("results/published"))
    text = re.sub(r" *\| *", "|", index.render(found))
    link = "[NVIDIA RTX 2060](rtx-2060-tensorrt10.3/table.md)"
    assert f"|{link}|TensorRT 10.3.0|yolov5s|||2.00|40.0|2.00|40.0|tiny|" in text
    assert found[0]["FP16 ms"] == 2.0
    assert found[0]["Torch ms"] is None


def test_a_row_of_the_index_is_of_one_input_mode(results):
    paths, _ = results()
    alone = [path for path in paths if str(INT8.folder) in str(path)]
    for precision in ("fp16", "int8"):
        cell = Cell("tensorrt", "yolov5s", precision, "dynamic")
        alone.append(Path(cell.folder) / "speed.json")
        write(alone[-1], speed(cell, median=3.0))
    mixed = index.figures(gather(alone), "tensorrt", "yolov5s")
    assert (mixed["FP16 ms"], mixed["INT8 ms"]) == (3.0, 3.0)
    both = index.figures(gather([*paths, *alone]), "tensorrt", "yolov5s")
    assert (both["FP16 ms"], both["INT8 ms"]) == (2.0, 2.0)


def test_a_doubtful_figure_is_published_with_its_mark(results):
    paths, others = results()
    noisy = speed(FP16, warnings=[OthersUsedCpu(0.84)])
    noisy.doubts = [HalvesDiffer(0.1)]
    write(paths[0], noisy)
    publish(paths, others)
    (found,) = index.entries(Path("results/published"))
    text = re.sub(r" *\| *", "|", index.render([found]))
    assert "|2.00 ?|40.0|2.00|40.0|tiny|" in text
    assert (found["FP16 ms quotable"], found["INT8 ms quotable"]) == (False, True)
    assert found["FP16 ms warnings"] == (
        "unstable: the halves of the run differ by 10.0% in the median; other processes used 84% of the CPU"
    )
    assert history.lines(gather(paths))[0].quotable is False


def test_a_history_of_a_version_that_knew_no_marks_is_not_written_again(results):
    paths, _ = results()
    path = Path("results/history.jsonl")
    lines = map(to_builtins, history.lines(gather(paths)))
    old = [{key: value for key, value in line.items() if key != "quotable"} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    history.append(path, gather(paths))
    assert list(map(json.loads, path.read_text().splitlines())) == old


def test_the_index_is_in_order_of_device_and_then_of_each_table(results):
    paths, others = results()
    small = write("results/tensorrt/yolov5n-fp16-static/speed.json", speed(SMALL))
    target = publish([*paths, small], others)
    facts = records.read(target / "published.json", Manifest)
    write(Path("results/published/other/published.json"), structs.replace(facts, device="AMD", records=[]))
    index.write(Path("results/published/README.md"), Path("results/published/index.csv"))
    lines = Path("results/published/index.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["NVIDIA RTX 2060", "TensorRT 10.3.0", model] for model in ("yolov5s", "yolov5n")
    ]
    assert lines[0].startswith("Device,Backend,Model,Torch ms,Torch mAP,FP16 ms")


def test_the_history_only_grows_and_never_doubles(results):
    paths, _ = results()
    path = Path("results/history.jsonl")
    path.write_text('{"older": 1, "measured": ""}\n')
    history.append(path, gather(paths))
    history.append(path, gather(paths))
    lines = path.read_text().splitlines()
    assert lines[0] == '{"older": 1, "measured": ""}'
    assert len(lines) == 5
    assert [line.value for line in history.read(path)] == [2.0, 2.0, 0.4, 0.4]


def test_the_history_keeps_no_interval_where_the_error_is_unknown(results):
    paths, _ = results()
    write(paths[1], accuracy(FP16, error=None))
    line = next(line for line in history.lines(gather(paths)) if line.figure == "mAP")
    assert (line.value, line.low, line.high) == (0.4, None, None)


def test_provenance_names_every_figure_with_its_code_and_hashes(results):
    models = {"a": Source(weights="/home/me/secret/a.pt", url="https://me:key@example.org/a.pt?token=1")}
    facts = describe(gather(results()[0]), experiment(models=models))
    assert facts.config.models == {"a": Source(weights="a.pt", url="https://example.org/a.pt")}
    assert facts.figures["tensorrt/yolov5s-int8-static/accuracy"].engine_sha256 == SHA
    assert facts.figures["tensorrt/yolov5s-int8-static/speed"].commit == "c" * 40
    assert facts.watched == {"gpu": "NVIDIA RTX 2060"}
    assert facts.config_sha256 != describe(gather(results()[0]), experiment(models=models, imgsz=320)).config_sha256


def test_the_index_has_the_most_images_a_second_of_any_batch_where_there_is_one(results):
    paths, others = results()
    target = publish(paths, others)
    assert "images/s" not in index.render(index.entries(Path("results/published")))
    for batch, median in ((8, 4.0), (32, 20.0)):
        cell = replace(FP16, batch=batch)
        folder = target / Path(cell.folder).relative_to("results")
        folder.mkdir(parents=True)
        records.write(folder / "speed.json", speed(cell, median=median))
    facts = records.read(target / "published.json", Manifest)
    several = [f"{FP16.folder}-b{batch}/speed.json" for batch in (8, 32)]
    write(target / "published.json", structs.replace(facts, records=[*facts.records, *several]))
    (line,) = index.entries(Path("results/published"))
    assert (line["FP16 ms"], line["FP16 images/s"], line["FP16 images/s batch"]) == (2.0, 2000.0, 8)
    assert "|40.0|2000 at 8|" in re.sub(r" *\| *", "|", index.render([line]))
