"""What a report tells of earlier runs."""

import msgspec
from msgspec import structs

from helpers.record_factory import result, write
from speedmap.publishing import history, since
from speedmap.results.reported import Limits

LIMITS = Limits(speed=0.05, speed_always=0.2, map=0.005, map_always=0.02)


def published(folder, **facts):
    row = result(**facts)
    path = folder / "tensorrt" / row.cell.name / "speed.json"
    path.parent.mkdir(parents=True)
    return [write(path, row.speed)]


def test_a_report_without_a_baseline_says_so():
    assert since.held([result()], "", [], LIMITS) == ([], "No baseline is published for this device.")


def test_figures_are_held_against_the_baseline(tmp_path):
    changes, said = since.held([result(median=4.0)], str(tmp_path), published(tmp_path), LIMITS)
    assert ("speed", "regressed") in {(change.figure, change.verdict) for change in changes}
    assert said == f"The baseline is {tmp_path}."


def test_a_report_is_made_where_nothing_can_be_compared(tmp_path):
    changes, said = since.held([result(cpu="another")], str(tmp_path), published(tmp_path), LIMITS)
    assert changes == []
    assert "another processor (CPU then, another now)" in said
    broken = tmp_path / "speed.json"
    broken.write_text("{")
    assert "no JSON record" in since.held([result()], str(tmp_path), [str(broken)], LIMITS)[1]


def test_the_past_ends_with_the_figures_of_now_once(tmp_path):
    path, row = tmp_path / "history.jsonl", result()
    assert since.past(path, [row]) == history.lines([row])
    before = structs.replace(history.lines([row])[0], measured="2025-01-01T00:00:00+00:00", value=9.0)
    path.write_bytes(msgspec.json.encode(before) + b"\n")
    assert [line.value for line in since.past(path, [row])] == [9.0, 2.0, 0.4]
    history.append(path, [row])
    assert [line.value for line in since.past(path, [row])] == [9.0, 2.0, 0.4]
