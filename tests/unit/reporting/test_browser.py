"""The report in a real browser, where one is installed: as wide as a desk and as a phone, light and dark."""

import json
import re
import subprocess
from html import escape

import pytest

from helpers.browser import CHROMIUM, FLAGS, Page
from helpers.reports import rendered, row
from speedmap.reporting import charts

LOOKING = (*FLAGS, "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom")
LOOK = """
addEventListener("load", () => {
  const page = frames[0].document, root = page.documentElement, style = frames[0].getComputedStyle.bind(frames[0]);
  const count = selector => page.querySelectorAll(selector).length;
  const tip = () => [...page.querySelectorAll("#vg-tooltip-element.visible")].map(shown => shown.textContent);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = one => { const back = rgb(style(one).backgroundColor);
    return back.length == 3 || back[3] ? back : behind(one.parentElement); };
  const contrast = text => { const ink = text.closest("svg") ? style(text).fill : style(text).color;
    const [high, low] = [light(rgb(ink)), light(behind(text))].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05); };
  const texts = () => [...page.querySelectorAll("body *:not(script, style, noscript, title)")].filter(
    one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()));
  const look = () => {
    const hidden = tip().length, drawn = [...page.querySelectorAll(".chart svg")];
    const told = [...page.querySelectorAll("#pareto [tabindex]")].map(mark => {
      mark.focus(); const said = tip(); mark.blur();
      return [mark.getAttribute("aria-label"), ...said, tip().length]; });
    const slider = page.getElementById("budget"), budgets = [];
    for (const value of [slider.max, slider.min]) {
      slider.value = value; slider.dispatchEvent(new Event("input"));
      budgets.push([slider.getAttribute("aria-valuetext"), page.getElementById("fastest").textContent]); }
    const folded = count("details:not([open])"), parts = [...page.querySelectorAll("details")];
    for (const part of parts) part.open = true;
    document.body.textContent = "FOUND" + JSON.stringify({
      overflow: root.scrollWidth - root.clientWidth, back: style(page.body).backgroundColor, hidden, told,
      outside: drawn.filter(chart => chart.getBoundingClientRect().right > root.clientWidth).length,
      charts: drawn.length, budgets, unfolded: parts.length - folded,
      faint: texts().filter(text => contrast(text) < 4.5).map(text => text.outerHTML.slice(0, 200)),
      texts: texts().length, nameless: [...page.querySelectorAll("button, input, [role=img], [role=region]")].filter(
        one => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length)).length,
      grid: style(page.querySelector("#pareto .role-axis-grid line")).stroke }) + "END";
  };
  const ready = () => count(".chart") == count(".chart svg") && count("details:not([open])");
  const wait = () => ready() ? setTimeout(look, 50) : setTimeout(wait, 20);
  wait();
});
"""
DRAWN = """
picture(document.activeElement).then(canvas => {
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const image = document.querySelector("picture img");
  return [[image.naturalWidth, image.naturalHeight], [canvas.width, canvas.height], new Set(pixels).size]; })
"""
SETTLED = """
new Promise(done => { const button = document.activeElement;
  const wait = () => button.textContent != "Copy the picture" ? done() : setTimeout(wait, 20); wait(); })
"""
BROKEN = """
[...document.querySelectorAll("#cells td:not(.text)")].filter(cell => {
  const content = document.createRange();
  content.selectNodeContents(cell);
  return content.getClientRects().length > 1; }).map(cell => cell.textContent)
"""  # figures in more than one line
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: the report is not looked at")


@pytest.fixture
def look(tmp_path):
    """Open the report in a frame of a width; returns what was seen and what the browser complained of."""

    def run(width, dark):
        report = escape(rendered(bundle=charts.bundle()))
        frame = f'<iframe style="width: {width}px; height: 900px" srcdoc="{report}"></iframe>'
        (tmp_path / "frame.html").write_text(f"<!doctype html><meta charset=utf-8><script>{LOOK}</script>{frame}")
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [CHROMIUM, *LOOKING, scheme, f"--user-data-dir={tmp_path / 'profile'}", tmp_path / "frame.html"]
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
    assert seen["grid"] == ("rgb(56, 65, 77)" if dark else "rgb(213, 218, 225)")  # charts follow the page
    assert (seen["charts"], seen["outside"], seen["hidden"]) == (6, 0, 0)
    assert seen["unfolded"] == 0
    assert seen["budgets"][0][0] == seen["budgets"][1][0] == "2 ms"
    assert "2 ms (1.9 to 2.2)" in seen["budgets"][0][1]
    assert seen["texts"] > 100
    assert (seen["faint"], seen["nameless"]) == ([], 0)
    assert len(seen["told"]) == 4
    for name, tip, after in seen["told"]:  # what the eye reads, a screen reader says
        assert "2.00 ms (1.90 to 2.20)" in tip
        assert "2.00 ms (1.90 to 2.20)" in name
        assert after == 0


def test_the_budget_moves_by_keyboard_and_the_line_is_copied(tmp_path):
    rows = [row(), row(precision="int8", median=4.0)]
    (tmp_path / "report.html").write_text(rendered(rows, bundle=charts.bundle()), "utf-8")
    with Page(tmp_path) as page:
        page.open(tmp_path / "report.html", ready="document.querySelector('details:not([open])')")
        page.value("document.querySelector('.skip').focus()")
        while page.value("document.activeElement.id") != "budget":
            assert page.value("document.activeElement != document.body")
            page.press("Tab")
        shown = []
        for key in ("Home", "ArrowRight", "End"):
            page.press(key)
            shown.append(page.value("[limit.textContent, budget.getAttribute('aria-valuetext')]"))
        assert [shown[0], shown[2]] == [["2 ms", "2 ms"], ["4 ms", "4 ms"]]
        assert 2 < float(shown[1][0].removesuffix(" ms")) < 4
        page.press("Tab")
        page.press("Enter")
        assert page.value("document.activeElement.textContent") == "Copied"
        assert page.value("getSelection().toString()").startswith("INT8 against FP16 on NVIDIA RTX 2060")
        page.press("Tab")
        assert page.value("document.activeElement.textContent") == "Copy the picture"
        shown, drawn, inks = page.value(DRAWN)
        assert shown[0] > 500
        assert drawn == [2 * side for side in shown]
        assert inks > 2  # the page's, the words', the mark's
        page.press("Enter")
        page.value(SETTLED)
        assert page.value("document.activeElement.textContent") in ("Copied", "The browser refuses: save it")
        page.send("Emulation.setEmulatedMedia", media="print")
        page.send("Emulation.setDeviceMetricsOverride", width=720, height=500, deviceScaleFactor=1, mobile=False)
        assert page.value("document.querySelectorAll('#cells td:not(.text)').length") > 10
        assert page.value(BROKEN) == []
        assert page.complaints == []
