import pytest

from helpers.record_factory import result
from speedmap.reporting import csv_table, detail_table, energy_columns
from speedmap.results.environment import Opened
from speedmap.results.watch import Energy


@pytest.fixture
def row():
    """A cell of batch 8 that took 300 J in 3 s for 250 batches."""
    made = result(precision="int8", batch=8)
    made.speed.inferences, made.speed.watch.energy = 250, Energy(joules=300.0, seconds=3.0, by="counter")
    made.speed.session = Opened(engine_mib=40.0, activations_mib=120.0)
    made.speed.watch.ranges = {"used_mib": (900, 1000), "process_mib": (700, 800)}
    return made


def test_energy_is_of_each_image_of_every_inference(row):
    assert energy_columns.joules_per_image(row) == 300 / (250 * 8)
    frame = csv_table.frame([row]).iloc[0]
    assert (frame["W"], frame["images/J"], frame["energy by"]) == (100, pytest.approx(20 / 3), "counter")


def test_the_page_has_a_table_of_it_and_says_what_is_not_subtracted(row):
    text = detail_table.render([row])
    part = text.partition("### Energy and memory")[2]
    assert [cell.strip() for cell in part.splitlines()[4].split("|")[3:-1]] == [
        "100", "0.15", "6.67", "counter", "40", "120", "800", "1000"]  # fmt: skip
    assert "idle power is not subtracted" in text


def test_a_device_that_tells_nothing_has_no_such_table_and_nothing_is_said_of_it(row):
    row.speed.watch.energy, row.speed.watch.ranges, row.speed.session = None, {}, Opened(activations_mib=120.0)
    text = detail_table.render([row])
    assert "Energy" not in text
    assert "idle power" not in text
