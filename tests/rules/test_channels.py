"""By which adapter a channel brings a notice, and that one without an adapter says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from banyan.runtime.host.settings import Settings
from banyan.runtime.notify.channels import Undelivered, channel_named


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_a_file_stands_for_each_channel(mode: str, tmp_path: Path) -> None:
    settings = Settings(mode=mode, run=tmp_path)  # type: ignore[arg-type]
    receipts = [channel_named(settings, "matching", name).send(7, "w1", "文") for name in ("mini_program", "sms")]
    assert receipts == ["mini_program-7", "sms-7"]
    lines = [json.loads(line) for line in (tmp_path / "notices-matching.jsonl").read_text("utf-8").splitlines()]
    assert [line["channel"] for line in lines] == ["mini_program", "sms"]


def test_in_production_a_channel_without_an_adapter_delivers_nothing_and_says_which(tmp_path: Path) -> None:
    settings = Settings(mode="production", run=tmp_path, notice_channels={"sms": "file"})
    with pytest.raises(Undelivered, match="dingtalk"):
        channel_named(settings, "matching", "dingtalk").send(7, "w1", "文")
    assert channel_named(settings, "matching", "sms").send(7, "w1", "文") == "sms-7"
