"""A headless Chromium for tests of pages: it opens a file, runs a script in it, and returns what the script did."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium here: none of {} is on PATH (Debian: apt-get install chromium), and STEEPEST_CHROMIUM is not set"
PROBE = """
<script>window.errors = []; addEventListener("error", (event) => errors.push(String(event.message)));</script>
{body}
<script>addEventListener("load", async () => {{
  let found;
  try {{ found = await (async () => {{ {script} }})(); }} catch (error) {{ errors.push(String(error)); }}
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify({{ found, errors }});
  document.body.append(out);
}});</script>
"""


def chromium():
    """Return the path of a Chromium, or skip the test and say what is missing."""
    found = os.environ.get("STEEPEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(MISSING.format(", ".join(NAMES)))
    return found


def run_in_page(page, body, script, *, width=1280):
    """Write `body` to the file `page`, open it, run a script (the body of an async function) and return its result."""
    page.write_text("<!doctype html><meta charset='utf-8'><body>" + PROBE.format(body=body, script=script))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},900"]
    command = [chromium(), *options, "--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert found, dom[-2000:]
    answer = json.loads(html.unescape(found.group(1)))
    assert answer["errors"] == []
    return answer["found"]
