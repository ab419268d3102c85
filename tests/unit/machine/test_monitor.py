import threading

import pytest
from msgspec import structs

from speedmap.machine import monitor
from speedmap.machine.disturbances import verdict
from speedmap.machine.monitor import Watch
from speedmap.machine.sample import Sample
from speedmap.reporting.footnotes import words
from speedmap.results.timing_findings import WatcherDied

OWN = 42
STEADY = Sample(sm_mhz=1980, memory_mhz=2619, reasons=[], pids=[OWN])


def judged(*changes, alive=True, error=None):
    return said([structs.replace(STEADY, **change) for change in changes], alive, error)


def said(samples, alive=True, error=None):
    """Judge samples, in the words that a reader sees."""
    return [words(warning) for warning in verdict(samples, alive, error, OWN)]


def test_a_quiet_run_has_no_warnings():
    assert judged({}, {}, {}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (({}, {"reasons": ["sw thermal slowdown"]}), "throttled: sw thermal slowdown"),
        (({}, {"reasons": ["sw power cap", "hw slowdown"]}), "throttled: sw power cap"),
        (({}, {}, {"sm_mhz": 1600}), "sm clock changed by more than 5%: 1600 to 1980 MHz"),
        (({}, {"pids": [OWN, 7]}), "foreign process on the GPU: 7"),
        (({"pids": [1, 2]}, {"pids": [1]}), "foreign process on the GPU: 2"),
        (({"reasons": None}, {"reasons": None}), "not watched: throttle reasons"),
        (({"pids": []}, {"pids": []}), "not watched: processes"),
        (({"others_share": 0.5}, {"others_share": 0.7}), "other processes used 60% of the CPU"),
        (({"neighbours": {"1": 0, "2": 9}}, {"neighbours": {"1": 0, "2": 3}}), "other GPUs of the host were at work"),
    ],
)
def test_a_disturbance_is_named(changes, expected):
    assert any(warning.startswith(expected) for warning in judged(*changes))


def test_the_processors_are_a_gpus_neighbours_and_what_openvino_runs_on():
    taken = {"others_share": 0.3}
    assert judged(taken) == []
    assert said([Sample(cpu_mhz=2400, **taken)]) == ["other processes used 30% of the CPU"]


def test_neighbours_that_do_not_tell_are_no_mark():
    assert judged({"neighbours": {"1": None}}, {"neighbours": {}}) == []


def test_reasons_that_slow_nothing_down_are_no_throttle():
    assert judged({"reasons": ["gpu idle"]}, {"reasons": ["application clocks setting"]}) == []


def test_the_clock_of_an_idle_gpu_does_not_count():
    assert judged({"sm_mhz": 345, "reasons": ["gpu idle"]}, {}, {}) == []


def test_a_process_under_the_number_of_another_namespace_is_the_own_one():
    assert judged({"pids": [9001]}, {"pids": [9001]}) == []


def test_silence_certifies_nothing():
    assert said([], False) == ["watcher took no samples"]
    assert said([STEADY], False, "GpuIsLost()") == ["watcher died: GpuIsLost()"]


class Source:
    """Counts on until it dies; `seen` is set when it is asked for its tenth sample, or dies before."""

    def __init__(self, until=None):
        self.until, self.asked, self.seen = until, 0, threading.Event()

    def setting(self):
        return {"gpu": "fake"}

    def sample(self):
        if self.asked in (self.until, 10):
            self.seen.set()
        if self.asked == self.until:
            raise OSError("the GPU is gone")
        self.asked += 1
        return Sample(sm_mhz=1000 + self.asked, reasons=[], pids=None)


def run(source):
    with Watch(source, period_s=0.001) as watch:
        assert source.seen.wait(5)
    return watch.result


def test_a_source_that_fails_is_a_watcher_that_died():
    result = run(Source(until=2))
    assert result.alive is False
    assert WatcherDied("OSError('the GPU is gone')") in result.warnings
    assert result.ranges["sm_mhz"] == (1001, 1002)
    assert [sample["sm_mhz"] for sample in result.samples] == [1001, 1002]


def test_a_watch_that_lasts_is_alive_and_thins_its_samples(monkeypatch):
    monkeypatch.setattr(monitor, "KEPT", 3)
    source = Source()
    result = run(source)
    assert result.alive is True
    assert result.count == source.asked > 9
    kept = [sample["sm_mhz"] for sample in result.samples]
    step = -(-result.count // 3)
    assert kept == list(range(1001, 1001 + result.count, step))
    assert result.ranges["sm_mhz"] == (1001, 1000 + result.count)
    times = [sample["at_s"] for sample in result.samples]
    assert times == sorted(times)
    assert result.untold == ["pids"]
    assert result.setting == {"gpu": "fake"}


def test_what_a_watch_cannot_tell_of_programs_is_nothing():
    assert run(Source()).busiest == {}


def test_a_laptop_that_changes_its_clocks_is_named_with_them():
    changes = ({"sm_mhz": 2100}, {"sm_mhz": 1400, "reasons": ["sw power cap"]}, {"sm_mhz": 1400})
    assert judged(*changes) == ["throttled: sw power cap", "sm clock changed by more than 5%: 1400 to 2100 MHz"]
