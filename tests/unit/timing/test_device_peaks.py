import torch

from speedmap.timing import device_peaks


def test_rates_are_multiply_adds_and_bytes_read_and_written_a_second(monkeypatch):
    monkeypatch.setattr(device_peaks, "SIDE", {"cpu": 10})
    monkeypatch.setattr(device_peaks, "BYTES", {"cpu": 100})
    monkeypatch.setattr(device_peaks, "_best", lambda work: work() is None or 0.5)
    peaks = device_peaks.measure()
    assert (set(peaks["operations"].values()), peaks["bytes"]) == ({2000}, 400)


def test_the_best_of_several_runs_counts(monkeypatch):
    clock = iter([0, 3, 3, 4, 4, 9])
    monkeypatch.setattr(device_peaks, "REPEATS", 3)
    monkeypatch.setattr(device_peaks.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_peaks._best(lambda: None) == 1


def test_products_multiply_two_square_matrices_of_their_types():
    side = device_peaks.SIDE["cpu"]
    assert device_peaks._integers("cpu")().shape == (side, side)
    assert device_peaks._integers("cpu")().dtype == torch.int32


def test_a_device_of_too_little_memory_has_no_rate():
    def prepare(_device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert device_peaks._rate(1, prepare, "cuda") is None
