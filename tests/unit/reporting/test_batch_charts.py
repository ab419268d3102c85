import pytest

from helpers.record_factory import result
from speedmap.machine.monitor import summarize
from speedmap.machine.sample import Sample
from speedmap.reporting import batch_charts
from speedmap.results.timing_findings import Throttled


def values(spec):
    return next(iter(spec.get("datasets", {"": spec["data"].get("values")}).values()))


def test_a_line_a_precision_of_images_a_second_against_the_batch():
    rows = [result(precision=precision, batch=batch, median=median)
            for precision, batch, median in (("fp16", 1, 1.0), ("fp16", 8, 4.0), ("int8", 8, 2.0))]  # fmt: skip
    ((model, spec),) = batch_charts.throughput(rows)
    assert model == "yolov5s"
    assert [(line["series"], line["batch"], line["rate"]) for line in values(spec)] == [
        ("TensorRT FP16", 1, 1000), ("TensorRT FP16", 8, 2000), ("TensorRT INT8", 8, 4000)]  # fmt: skip


def test_no_chart_without_batches():
    assert batch_charts.throughput([result(), result(precision="int8")]) == []


def long(seconds, *warnings, **sample):
    """A run that is twice as slow in its second half, sampled ten times a second, as a watch thins its samples."""
    made = result()
    made.speed.samples_ms = [1.0] * 600 + [2.0] * 600
    samples = [Sample(at_s=tenth / 10, **sample) for tenth in range(round(seconds * 10))]
    made.speed.watch = summarize(samples, {}, alive=True, error=None)
    made.speed.watch.warnings = list(warnings)
    return made


def test_a_long_run_shows_its_latency_over_time_and_a_short_one_does_not():
    ((name, spec, _),) = batch_charts.sustained([long(120.0), long(57.0)])
    points = values(spec)
    assert name == "tensorrt/yolov5s-fp16-static"
    assert (len(points), points[0]["s"], points[-1]["s"]) == (120, 0.5, 119.5)
    assert [points[at]["ms"] for at in (0, 59, 60, 119)] == [1, 1, 2, 2]


def test_a_run_of_just_a_minute_is_long_though_its_last_kept_sample_is_before_its_end():
    run = long(60.0)
    assert run.speed.watch.samples[-1]["at_s"] < 60
    assert len(batch_charts.sustained([run])) == 1


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (long(60.0, Throttled("sw power cap"), reasons=["sw power cap"]), "throttled: sw power cap"),
        (long(60.0, reasons=[]), "did not throttle"),
        (long(60.0), "whether it throttled is not reported here"),
    ],
)
def test_a_long_run_says_whether_it_throttled(run, said):
    assert batch_charts.throttled(run.speed.watch) == said
