"""The interactive pages in a headless Chromium: what is drawn as the controls move is what the library computes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from browser import run_in_page

DOCS = Path(__file__).parents[1] / "docs"
PLAY = DOCS / "play"
# What a reader's hand does: sets a control, and drags from one place of a picture to another, in shares of its size.
HAND = """
const host = document.querySelector("[data-play]"), page = steepest.pages[host.dataset.play];
const set = (name, value) => {
  const input = host.querySelector(`.controls .${name} :is(input[type=range], select)`);
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
Element.prototype.setPointerCapture = () => {};  // it takes a pointer of hardware
const drag = (panel, from, to) => {
  const at = ([across, down]) => {
    const box = host.querySelectorAll("svg")[panel].getBoundingClientRect();
    const place = { clientX: box.left + across * box.width, clientY: box.top + down * box.height };
    return { ...place, bubbles: true, pointerId: 1 };
  };
  const send = (kind, place) => host.querySelectorAll("svg")[panel].dispatchEvent(new PointerEvent(kind, at(place)));
  send("pointerdown", from);
  send("pointermove", to);
  send("pointerup", to);
};
const drawn = (panel) => host.querySelectorAll("svg")[panel].querySelector("path.run").getAttribute("d");
"""


@pytest.fixture
def open_page(tmp_path):
    """A function that opens a page as the site lays it out, from files, and runs a script in it."""
    shutil.copytree(DOCS / "static", tmp_path / "_static")
    (tmp_path / "play").mkdir()

    def run(page, script, **options):
        text = (PLAY / f"{page}.md").read_text()
        blocks = re.findall(r"```\{raw\} html\n(.*?)```", text, re.DOTALL)
        body = "".join(
            (PLAY / block[7:].strip()).read_text() if block.startswith(":file:") else block for block in blocks
        )
        return run_in_page(tmp_path / "play" / f"{page}.html", body, HAND + script, **options)

    return run


def test_valley_draws_the_path_of_minimize_as_the_sliders_move(open_page):
    found = open_page(
        "valley",
        """set("logRate", -1.3); set("momentum", 0.5); set("size", 2); set("randomState", 3);
        drag(0, [0.4, 0.4], [0.3, 0.25]);
        const path = page.path(host.state), says = host.querySelector(".says").textContent;
        const shown = [...host.querySelectorAll("output")].map((output) => output.textContent);
        return { path, says, shown, state: host.state, drawn: drawn(0),
                 start: page.scale.fromPixels([0.3 * 364, 0.25 * 356]), x: page.x, y: page.y };""",
    )
    assert found["shown"] == ["0.0501", "0.5", "4", "3"]
    np.testing.assert_allclose(found["state"]["start"], found["start"], atol=1e-3)
    run = st.minimize(
        st.LeastSquares(np.array(found["x"])[:, None], np.array(found["y"])),
        np.array(found["state"]["start"]),
        st.Momentum(0.0501, momentum=0.5),
        batch_size=4,
        max_epochs=30,
        random_state=3,
        record_path=True,
    )
    np.testing.assert_allclose(found["path"], run.path, rtol=0, atol=1e-12)
    points = np.array(re.findall(r"([\d.-]+) ([\d.-]+)", found["drawn"]), dtype=float)
    # The window is 7 wide from -1.5 and 6.5 high up to 4, in a box of 310 x 288 pixels at (44, 26).
    pixels = np.column_stack([44 + (run.path[:, 0] + 1.5) / 7 * 310, 26 + (4 - run.path[:, 1]) / 6.5 * 288])
    np.testing.assert_allclose(points, pixels, atol=0.051)
    assert found["says"].startswith(f"{run.n_steps} steps in 30 epochs.")


def test_valley_says_that_a_run_diverges(open_page):
    found = open_page(
        "valley", """set("momentum", 0); set("logRate", -0.2); return host.querySelector(".says").textContent;"""
    )
    assert found.startswith("The run diverges.")


def test_surface_turns_and_changes(open_page):
    found = open_page(
        "surface",
        """const before = { ...host.state }, first = host.querySelector("path.cell").getAttribute("d");
        drag(0, [0.5, 0.5], [0.6, 0.4]);
        const after = { ...host.state }, second = host.querySelector("path.cell").getAttribute("d");
        set("azimuth", 90); set("surface", "bowl"); set("logRate", -0.5);
        const cells = host.querySelectorAll("path.cell").length;
        return { before, after, changed: first !== second, last: host.state, path: page.path(host.state), cells };""",
    )
    assert found["after"]["azimuth"] - found["before"]["azimuth"] == 28  # half a degree a pixel of 56
    assert found["after"]["elevation"] - found["before"]["elevation"] == -20
    assert found["changed"]
    assert (found["last"]["azimuth"], found["last"]["surface"], found["cells"]) == (90, "bowl", 900)
    shrunk = np.array([-4, 2.5]) * (1 - 0.316 * np.array([1, 3]))
    np.testing.assert_allclose(found["path"][1], shrunk, rtol=1e-12)


def test_race_plays_and_pauses_and_leaves_runners_out(open_page):
    found = open_page(
        "race",
        """const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
        set("surface", "bowl");
        const button = host.querySelector("button"), begun = host.state.step;
        button.click();
        await wait(0.4);
        const playing = [button.textContent, host.state.step];
        button.click();
        const paused = host.state.step;
        await wait(0.3);
        host.querySelector(".on_adam input[type=checkbox]").click();
        return { begun, playing, paused, still: host.state.step, label: button.textContent,
                 runs: host.querySelectorAll("svg")[0].querySelectorAll("path.run").length };""",
    )
    assert found["begun"] == 0
    assert found["playing"][0] == "Pause"
    assert 5 <= found["playing"][1] <= 20
    assert found["paused"] == found["still"]
    assert (found["label"], found["runs"]) == ("Play", 5)


@pytest.mark.parametrize("page", ["valley", "surface", "race"])
def test_page_fits_a_telephone_and_names_its_controls(open_page, page):
    """390 pixels wide, of which a page of the site leaves 350."""
    found = open_page(
        page,
        """host.style.width = "350px";
        const inputs = [...host.querySelectorAll("input, select")];
        const edge = host.getBoundingClientRect().right + 1;
        const over = [...host.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > edge);
        const unnamed = inputs.filter((each) => !each.getAttribute("aria-label") && !each.closest("label"));
        const texts = [...host.querySelectorAll("svg")].map((each) => each.getAttribute("aria-label"));
        return { over: over.map((each) => each.outerHTML.slice(0, 80)), unnamed: unnamed.length, n: inputs.length,
                 texts: texts.every((text) => text.length > 20) };""",
    )
    assert found["over"] == []
    assert (found["unnamed"], found["texts"]) == (0, True)
    assert found["n"] >= 4
