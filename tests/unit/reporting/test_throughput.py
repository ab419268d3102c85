from dataclasses import replace

import pytest
from msgspec import structs

from helpers.record_factory import dataset, experiment, result, speedup, summary
from speedmap.reporting import csv_table, pareto_points, table
from speedmap.results.cell import Cell
from speedmap.results.cell_result import CellResult
from speedmap.results.findings import JobFailed, WrongPrecision
from speedmap.results.timing_findings import Throttled

CONFIG = experiment(batches=[1, 8], torch=True)
DATASET = dataset(128, name="sample")
MEDIANS = {("fp16", 1): 1.0, ("int8", 1): 0.8, ("fp16", 8): 4.0, ("int8", 8): 2.5}


def timed(backend, precision, batch, median, **facts):
    made = result(backend, precision=precision, batch=batch, median=median, **facts)
    return made if batch == 1 and backend != "torch" else replace(made, accuracy=None)


@pytest.fixture
def rows():
    return {key: timed("tensorrt", *key, median) for key, median in MEDIANS.items()}


def lines(rows, config=CONFIG):
    """Read the cells of the third table."""
    text = table.render(list(rows), config, DATASET, "tensorrt")
    part = text.partition("## Throughput")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()]


def test_a_row_a_model_and_batch_with_images_a_second(rows):
    head, _, *body = lines(rows.values())
    assert head == ["Model", "Batch", "Torch<br><sup>FP16 images/s", "TensorRT<br><sup>FP16 images/s",
                    "TensorRT<br><sup>INT8 images/s", "INT8 / float"]  # fmt: skip
    assert body == [["yolov5s", "1", "not measured", "1000", "1250", "1.25 (1.16 to 1.35)"],
                    ["yolov5s", "8", "not measured", "2000", "3200", "1.60 (1.48 to 1.73)"]]  # fmt: skip


def test_a_config_of_single_images_has_no_third_table(rows):
    single = [row for (_, batch), row in rows.items() if batch == 1]
    assert "Throughput" not in table.render(single, experiment(), DATASET, "tensorrt")


def test_batches_without_the_single_image_have_the_third_table_only(rows):
    several = [row for (_, batch), row in rows.items() if batch == 8]
    text = table.render(several, experiment(batches=[8]), DATASET, "tensorrt")
    assert "## Throughput" in text
    assert "## Static input" not in text


def test_torch_counts_as_a_cuda_graph_where_it_was_one(rows):
    torch = timed("torch", "fp16", 8, 10.0)
    assert lines([*rows.values(), torch])[3][2] == "800"
    torch.speed.alternatives = {"cuda_graph": summary(5.0)}
    assert lines([*rows.values(), torch])[3][2] == "1600"


def test_engines_that_took_turns_say_how_much_faster_int8_is(rows):
    eight = rows["int8", 8]
    rows["int8", 8] = replace(eight, speedup=speedup(eight.cell, ratio=1.7))
    assert [line[-1] for line in lines(rows.values())[2:]] == ["1.25 (1.16 to 1.35)", "1.70 (1.70 to 1.70)"]


def test_an_invalid_or_disturbed_batch_is_marked_and_the_invalid_has_no_ratio(rows):
    rows["int8", 8] = timed("tensorrt", "int8", 8, 2.5, invalid=[WrongPrecision("int8", {"fp32": 1.0})])
    rows["fp16", 8] = timed("tensorrt", "fp16", 8, 4.0, warnings=[Throttled("sw power cap")])
    assert lines(rows.values())[3][3:] == ["2000<sup>1</sup>", "invalid<sup>2</sup>", ""]


def test_a_batch_that_memory_could_not_hold_says_so_and_the_others_have_figures(rows):
    cell = Cell("tensorrt", "yolov5s", "fp16", "static", 8)
    rows["fp16", 8] = CellResult(cell, None, None, None, failed=(JobFailed("the GPU's memory is too small"),))
    text = table.render(list(rows.values()), CONFIG, DATASET, "tensorrt")
    assert lines(rows.values())[3][3:5] == ["not measured<sup>1</sup>", "3200"]
    assert "1. the GPU's memory is too small" in text


def test_a_skipped_batch_says_so(rows):
    rows.pop(("int8", 8))
    skipped = structs.replace(CONFIG, skip=["yolov5s-int8-static-b8"])
    assert lines(rows.values(), skipped)[3][3:] == ["2000", "skipped", ""]


def test_the_csv_has_batch_and_images_a_second(rows):
    frame = csv_table.frame(list(rows.values())).set_index("cell")
    assert frame.loc["tensorrt/yolov5s-int8-static-b8", ["batch", "images/s"]].tolist() == [8, 3200]


def test_torch_of_batches_is_no_point_beside_the_map_of_its_single_image():
    rows = [result("torch", shape="dynamic"), timed("torch", "fp16", 1, 3.0), timed("torch", "fp16", 8, 9.0)]
    assert [point.ms for point in pareto_points.points(rows)] == [2.0]
