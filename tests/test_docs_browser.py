"""The built documentation, in STEEPEST_DOCS_DIR, in a headless Chromium at the width of a telephone."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SITE = os.environ.get("STEEPEST_DOCS_DIR", "")
CHROMIUM = os.environ.get("STEEPEST_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTH = 390
# Of each page in a frame of that width: its title, and the elements that reach over the right edge, unless a box of
# their own scrolls or hides them.
SCRIPT = """<!doctype html><meta charset="utf-8"><body><script>
const PAGES = {pages}, WIDTH = {width};
function cut(page, view) {{
  const held = (e) => e && e !== page.body
    && (["auto", "scroll", "hidden"].includes(view.getComputedStyle(e).overflowX) || held(e.parentElement));
  const found = [...page.querySelectorAll("article *")].filter((e) => {{
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.right > WIDTH + 1 && !held(e);
  }});
  return found.slice(0, 5).map((e) => e.tagName + "." + e.className);
}}
async function look(url) {{
  const frame = document.createElement("iframe");
  frame.width = WIDTH;
  frame.height = 800;
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
  frame.src = url;
  document.body.append(frame);
  await loaded;
  const page = frame.contentDocument;
  const found = [url, page.title, page.documentElement.scrollWidth, cut(page, frame.contentWindow)];
  frame.remove();
  return found;
}}
addEventListener("load", async () => {{
  const found = [];
  for (const url of PAGES) found.push(await look(url));
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
}});
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SITE, reason="STEEPEST_DOCS_DIR does not name built pages"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium, and STEEPEST_CHROMIUM does not name one"),
]


def pages():
    names = ("genindex", "search", "py-modindex")
    return [
        page for page in sorted(Path(SITE).rglob("*.html")) if page.stem not in names and "_static" not in page.parts
    ]


def test_nothing_is_cut_on_a_telephone(tmp_path):
    urls = [page.resolve().as_uri() for page in pages()]
    assert len(urls) > 10
    frame = tmp_path / "frame.html"
    frame.write_text(SCRIPT.format(pages=json.dumps(urls), width=WIDTH))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"]
    command = [CHROMIUM, *options, "--virtual-time-budget=200000", "--dump-dom", frame.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True).stdout
    text = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert text, dom[-1000:]
    found = json.loads(html.unescape(text[1]))
    assert len(found) == len(urls)
    assert [each for each in found if not each[1] or each[2] > WIDTH or each[3]] == []
