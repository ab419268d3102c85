"""The report in a real browser, where one is installed: as wide as a desk and as a phone, light and dark."""

import json
import re
import shutil
import subprocess
from html import escape

import pytest

from helpers.reports import rendered

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
         "--virtual-time-budget=3000", "--dump-dom")  # fmt: skip
LOOK = """
addEventListener("load", () => {
  const page = frames[0].document, root = page.documentElement, style = frames[0].getComputedStyle.bind(frames[0]);
  const shown = () => [...page.querySelectorAll(".tip")].filter(tip => style(tip).display != "none");
  const hidden = shown().length, hits = [...page.querySelectorAll("#pareto .hit")];
  const told = hits.map(hit => { hit.focus(); return shown().map(tip => tip.textContent); });
  document.body.textContent = "FOUND" + JSON.stringify({
    overflow: root.scrollWidth - root.clientWidth, back: style(page.body).backgroundColor, hidden, told }) + "END";
});
"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: the report is not looked at")


@pytest.fixture
def look(tmp_path):
    """Open the report in a frame of a width; returns what was seen and what the browser complained of."""

    def run(width, dark):
        frame = f'<iframe style="width: {width}px; height: 900px" srcdoc="{escape(rendered())}"></iframe>'
        (tmp_path / "frame.html").write_text(f"<!doctype html><meta charset=utf-8><script>{LOOK}</script>{frame}")
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [CHROMIUM, *FLAGS, scheme, f"--user-data-dir={tmp_path / 'profile'}", tmp_path / "frame.html"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        seen = json.loads(re.search("FOUND(.+)END", done.stdout)[1])
        return seen, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_report_fits_and_tells_its_figures(look, width, dark):
    seen, complaints = look(width, dark)
    assert complaints == []
    assert seen["overflow"] <= 0
    assert seen["back"] == ("rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)")
    assert seen["hidden"] == 0
    assert [len(tips) for tips in seen["told"]] == [1, 1, 1]
    assert "2.00 ms (1.90 to 2.20)" in seen["told"][0][0]
