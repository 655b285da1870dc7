"""A small typhoon day as `banyan typhoon` plays it, and its page as a browser has it: its own scripts, run by V8."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from py_mini_racer import MiniRacer

from services.identity.data import divisions, villages
from services.matching.optimum import certificate
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.problem import Problem
from services.matching.typhoon.play import PAGE, REPORT, play

COUNTIES = {d.code: d.name for d in divisions() if d.level == "county" and d.until_on is None}
BROWSER = """
// As much of a browser as the page's scripts ask for: opens the page, presses the buttons, tells what it says after each.
function load(scripts, county) {
  const elements = { county: { textContent: county } };
  for (const id of ["again", "forge", "verdict"]) elements[id] = { addEventListener(_, answer) { this.press = answer; } };
  const document = { getElementById: (id) => elements[id], querySelectorAll: () => [] };
  return [elements, new Function("document", "performance", scripts)(document, { now: () => Date.now() })];
}
function opened(scripts, county, presses) {
  const [elements] = load(scripts, county), said = [elements.verdict.textContent];
  for (const id of presses) { elements[id].press(); said.push(elements.verdict.textContent); }
  return JSON.stringify(said);
}
function valued(scripts, county) {
  const [, [worth, workers, requests]] = load(`${scripts}; return [worth, W.x.length, Q.serving.length];`, county), found = [];
  for (let r = 0; r < requests; r++) for (let w = 0; w < workers; w++) {
    const value = worth(r, w);
    if (value !== null) found.push([r, w, value]);
  }
  return JSON.stringify(found);
}
"""


@cache
def made() -> tuple[Any, str, Problem, Certificate]:
    """A small day played as `banyan typhoon` plays it: its report, its page, and the certificate's two files."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        play(villages(), COUNTIES, folder, requests=1_200, workers=1_000, seed=11)
        report = json.loads((folder / REPORT).read_text("utf-8"))
        return report, (folder / PAGE).read_text("utf-8"), *certificate.read(folder)


@cache
def parts() -> tuple[str, str]:
    """The county that the page carries, and its scripts."""
    page = made()[1]
    (county,) = re.findall(r'<script type="application/json" id="county">(.*?)</script>', page, re.DOTALL)
    return county, "\n".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))


def written() -> Any:
    """The county that the page carries, to be changed."""
    return json.loads(parts()[0])


@cache
def browser() -> MiniRacer:
    """V8, which Chromium has too, with a page to open."""
    engine = MiniRacer()
    engine.eval(BROWSER)
    return engine


def opened(county: Any, presses: Sequence[str] = ()) -> list[str]:
    """What the page with this county says when it is opened, and after each button that is pressed."""
    told: list[str] = json.loads(str(browser().call("opened", parts()[1], json.dumps(county), list(presses))))
    return told


def valued(county: Any) -> dict[tuple[int, int], int]:
    """Every pair of this county that the page's rules let pass, by their places, and what it is worth by the page."""
    found = json.loads(str(browser().call("valued", parts()[1], json.dumps(county))))
    return {(r, w): value for r, w, value in found}


def numbers(text: str) -> list[int]:
    """The whole numbers of a sentence."""
    return [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", text)]
