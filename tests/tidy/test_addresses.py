"""The house names no machine it was built on and no registry; whoever builds it has his own."""

from __future__ import annotations

import re

from tests.tidy.tree import ROOT, files, shown, text

# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"/wo" + r"rk/",
            r"/ro" + r"ot/",
            r"/ho" + r"me/[a-z]{2,}/",
            r"/opt/(wheels|pypi)",
            r"(files\.)?pythonhosted\.o" + r"rg",
            r"\bpypi\.o" + r"rg",
            r"(deb|security|snapshot)\.debian\.o" + r"rg",
            r"registry\.npm" + r"js",
            r"PIP_INDEX_" + r"URL|--(extra-)?index-" + r"url[ =]|--find-" + r"links[ =]",
        )
    )
)
REQUIREMENT = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==\S+( ; [^\\]+)?( \\)?$")


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{shown(path)}:{number}: {match.group()}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if (match := FORBIDDEN.search(line))
    ]
    assert not found


def test_every_locked_package_has_a_version_and_hashes() -> None:
    entries = re.split(r"\n(?! )", text(ROOT / "requirements.lock").strip())
    assert len(entries) > 50
    for entry in entries:
        head, *hashes = entry.splitlines()
        assert REQUIREMENT.match(head), head
        assert hashes, head
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), head


def test_what_is_required_is_locked_and_sorted() -> None:
    wanted = [line for line in text(ROOT / "requirements.in").splitlines() if line and not line.startswith("#")]
    assert wanted == sorted(wanted), "requirements.in: one a line, sorted"
    locked = set(re.findall(r"^([a-z0-9._-]+)", text(ROOT / "requirements.lock"), re.MULTILINE))
    names = {re.split(r"[\[=<>~! ]", line)[0].lower().replace("_", "-").replace(".", "-") for line in wanted}
    assert names <= locked, "run `make lock`"
