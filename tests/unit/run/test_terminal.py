"""What a run shows by its logger plugin: a line, what a person must know, and nothing else."""

import io
import logging
import os
import sys

import pytest
from snakemake_interface_logger_plugins.tests import TestLogHandlerBase

import snakemake_logger_plugin_speedmap as plugin
from speedmap.run import terminal
from speedmap.run.terminal import CLEAR, OURS, Terminal


class TestPlugin(TestLogHandlerBase):
    """Snakemake's own tests of such plugins."""

    __test__ = True

    def get_log_handler_cls(self):
        return plugin.LogHandler

    def get_log_handler_settings(self):
        return None


class Screen(io.StringIO):
    """A terminal, or a file that stands for one."""

    def __init__(self, drawn):
        super().__init__()
        self.drawn = drawn

    def isatty(self):
        return self.drawn


def record(event=None, msg="", level=logging.INFO, name="snakemake.logging", **facts):
    made = logging.LogRecord(name, level, "", 0, msg, (), None)
    made.__dict__.update(facts, **({"event": event} if event else {}))
    return made


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Show records where a log of Snakemake's is open; returns what was shown, without the ends of lines."""
    handler = logging.FileHandler(tmp_path / "snakemake.log")
    logging.getLogger("snakemake.logging").addHandler(handler)
    monkeypatch.chdir(tmp_path)
    saved = os.dup(2)

    def show(*records, drawn=False, close=True, **options):
        screen = Screen(drawn)
        view = Terminal(stream=screen, clock=iter(range(1000)).__next__, **options)
        for one in records:
            view.take(one)
        if close:
            view.close()
        return screen.getvalue()

    yield show
    os.dup2(saved, 2)
    os.close(saved)
    logging.getLogger("snakemake.logging").removeHandler(handler)
    handler.close()


PLAN = record("run_info", stats={"read_weights": 1, "all": 1, "total": 2})
BEGIN = record("job_info", jobid=1, rule_name="read_weights", wildcards={"model": "a"})
END = record("job_finished", job_id=1)


def test_a_log_without_a_terminal_gets_a_line_a_job(shown):
    lines = shown(PLAN, BEGIN, record(msg="Select jobs to execute..."), record("progress", done=1, total=1), END)
    first, second = lines.splitlines()
    assert first.startswith("[0/1] steps planned; Snakemake's own words go to snakemake.log; about ")
    assert second.startswith("[1/1] read weights a, ")


def test_a_terminal_has_one_line_that_is_drawn_anew_and_gone_at_the_end(shown):
    lines = shown(PLAN, BEGIN, END, drawn=True)
    assert f"{CLEAR}[0/1] read weights a, " in lines
    assert lines.count("\n") == 1  # after what was planned
    assert lines.endswith(CLEAR)


def test_what_jobs_write_goes_to_the_log_until_the_end(shown, tmp_path):
    screen = Screen(False)
    view = Terminal(stream=screen, clock=lambda: 0.0)
    view.take(PLAN)
    os.write(2, b"a bar of a library\n")
    view.close()
    assert (tmp_path / "snakemake.log").read_text() == "a bar of a library\n"
    before = os.fstat(2)
    view.close()  # as Snakemake does, twice
    assert os.fstat(2) == before


def test_a_failed_job_says_why_in_a_line_and_what_snakemake_adds_is_left_out(shown, tmp_path):
    (tmp_path / "a.log").write_text("Traceback ...\nValueError\nerror: a.pt: no weights; give others\n")
    failed = record("job_error", level=logging.ERROR, jobid=1, rule_name="read_weights", log=["a.log"])
    error = record("error", 'RuleException:\nCalledProcessError in file "/x.smk", line 3:\nno', logging.ERROR)
    last = record(msg="Exiting because a job execution failed.", level=logging.ERROR)
    lines = shown(PLAN, BEGIN, error, failed, last)
    assert lines.splitlines()[1:] == [
        "failed: read weights: a.pt: no weights; give others; log: a.log",
        "error: 1 step failed; the same command goes on. Snakemake's own words are in snakemake.log",
    ]


def test_a_job_that_was_done_when_tried_again_has_not_failed(shown):
    failed = record("job_error", level=logging.ERROR, jobid=1, rule_name="read_weights", log=["a.log"])
    lines = shown(PLAN, BEGIN, failed, BEGIN, END).splitlines()
    assert lines[1].startswith("failed: read weights: it was ended, or did not say why")
    assert lines[-1].startswith("[1/1] read weights a, ")


def test_an_error_of_snakemake_itself_is_shown_without_where_it_came_up(shown):
    message = 'MissingRuleException in file "/x/Snakefile", line 3:\nNo rule to produce a.b\n  File "/x", line 1, in a'
    assert shown(record("error", message, logging.ERROR)) == "error: No rule to produce a.b\n"
    advice = " (if you use input functions make sure that they don't raise unexpected exceptions)."
    told = "error: No rule to produce a.b; correct its name, or give the --configfile that has its cell\n"
    assert shown(record("error", message.replace("a.b", f"a.b{advice}"), logging.ERROR)) == told


def test_a_config_that_snakemake_cannot_read_is_named_with_its_place(shown, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("models: [")
    error = record("error", "WorkflowError:\nConfig file is not valid JSON or YAML.", logging.ERROR)
    for words in (["--configfile", "mine.yaml"], ["--configfile=mine.yaml"]):
        monkeypatch.setattr(sys, "argv", ["snakemake", "--cores", "1", *words])
        assert shown(error).startswith("error: mine.yaml: line 1, column 10: ")
    monkeypatch.setattr(sys, "argv", ["snakemake"])
    assert shown(error) == "error: Config file is not valid JSON or YAML.\n"


def test_a_config_that_is_not_there_is_named_without_a_traceback(shown, monkeypatch):
    said = "Traceback (most recent call last):\n    obj = open(a)\n          ^^^\n"
    error = record("error", f"{said}FileNotFoundError: [Errno 2] No such file or directory: 'no.yaml'", logging.ERROR)
    for words in (["--configfile", "no.yaml"], ["--configfile=no.yaml"]):
        monkeypatch.setattr(sys, "argv", ["snakemake", *words])
        assert shown(error) == "error: no.yaml: No such file or directory; correct the path\n"
    monkeypatch.setattr(sys, "argv", ["snakemake"])
    assert "Traceback" in shown(error)  # of what nobody named, where it came up is all that tells


def test_warnings_and_what_the_run_itself_says_are_shown(shown):
    ours = record(msg="5 of 6 speeds are disturbed", name=OURS.name)
    assert shown(record(msg="careful", level=logging.WARNING), ours, record(msg="Nothing to be done (all there).")) == (
        "careful\n5 of 6 speeds are disturbed\nNothing to be done (all there).\n"
    )


def test_the_step_that_waits_says_for_what(tmp_path, shown):
    screen = Screen(True)
    view = Terminal(stream=screen, clock=lambda: 0.0)
    view.take(record("run_info", stats={"measure_again": 1}))
    os.write(2, b"3 of 20 timings are disturbed\nwaiting until the machine is quieter\n")
    view.take(record("job_info", jobid=1, rule_name="measure_again", wildcards={}))
    view.close()
    assert "[0/1] measure again, 0 s; about 30 s left; waiting until the machine is quieter" in screen.getvalue()


def test_a_dry_run_shows_the_jobs_and_takes_nothing_over(shown, tmp_path):
    stats = record("run_info", msg="Job stats:\nread_weights 1", stats={"read_weights": 1})
    assert shown(stats, BEGIN, stats, dry=True) == "Job stats:\nread_weights 1\n"
    stats = record("run_info", msg="Job stats:\nmeasure_again 1", stats={"measure_again": 1})
    assert shown(stats, dry=True, drawn=True) == CLEAR + f"Job stats:\nmeasure_again 1\n\n{terminal.MAYBE}\n{CLEAR}"
    os.write(2, b"")
    assert (tmp_path / "snakemake.log").read_text() == ""


def test_long_steps_do_not_look_dead(shown, monkeypatch):
    monkeypatch.setattr(terminal, "TICK_S", 0.001)
    monkeypatch.setattr(terminal, "HEARTBEAT_S", 2.0)
    screen, times = Screen(False), iter(range(10**9))
    view = Terminal(stream=screen, clock=times.__next__)
    view.take(PLAN)
    view.take(BEGIN)
    while screen.getvalue().count("\n") < 3:  # a lost line would end this test by its time limit
        assert next(times) < 10**6
    view.close()
    assert screen.getvalue().splitlines()[2].startswith("[0/1] read weights a, ")
