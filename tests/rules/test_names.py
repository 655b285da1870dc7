"""Names: kept as given, found by what people type, sorted by pinyin."""

from __future__ import annotations

import pytest

from banyan.kernel import names as n
from banyan.kernel.refusal import Refused


@pytest.mark.parametrize("name", ["王䶮", "买买提·吐尔逊", "歐陽脩", "José  O'Neill", "𬭎", " 李 明 "])
def test_a_name_is_kept_exactly_as_given(name: str) -> None:
    assert n.check_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", "李\n明", "李\x00明", "李" * 101])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Refused) as no:
        n.check_name(name)
    assert no.value.code == "name_format"


@pytest.mark.parametrize(
    ("name", "pinyin", "initials", "surname"),
    [
        ("单雄信", "shanxiongxin", "sxx", "单"),
        ("曾国藩", "zengguofan", "zgf", "曾"),
        ("仇英", "qiuying", "qy", "仇"),
        ("尉迟恭", "yuchigong", "ycg", "尉迟"),
        ("欧阳修", "ouyangxiu", "oyx", "欧阳"),
        ("万俟卨", "moqixie", "mqx", "万俟"),
        ("吕布", "lvbu", "lb", "吕"),
        ("陈重", "chenchong", "cc", "陈"),
        ("José García", "josegarcia", "jg", ""),
        ("买买提·吐尔逊", "maimaitituerxun", "mmttex", ""),
    ],
)
def test_a_name_is_found_by_pinyin_and_initials(name: str, pinyin: str, initials: str, surname: str) -> None:
    keys = n.search_keys(name)
    assert pinyin in keys.pinyin and initials in keys.initials and keys.surname == surname


def test_a_surname_is_not_read_as_the_word() -> None:
    assert not any(key.startswith("dan") for key in n.search_keys("单雄信").pinyin)
    assert {"yueyi", "leyi"} <= set(n.search_keys("乐毅").pinyin)
    assert {"chenchong", "chenzhong"} <= set(n.search_keys("陈重").pinyin)


def test_the_readings_kept_are_limited_and_the_likeliest_comes_first() -> None:
    keys = n.search_keys("那那那那那那")
    assert len(keys.pinyin) <= n.READINGS_KEPT and n.search_keys("任我行").pinyin[0] == "renwoxing"


def test_one_name_written_two_ways_has_one_exact_key() -> None:
    assert n.folded("买买提•吐尔逊") == n.folded("买买提·吐尔逊") == n.folded("买买提．吐尔逊")
    assert n.folded("李 明") == n.folded("李明") and n.folded("Anna  LEE") == "anna lee"
    assert n.folded("歐陽脩") != n.folded("欧阳修")


def test_rare_characters_have_keys() -> None:
    assert n.search_keys("王䶮").pinyin == ("wangyan",)
    assert n.search_keys("王𮧵").exact == "王𮧵" and n.search_keys("王𮧵").pinyin


def test_sorting_is_by_pinyin_surname_first() -> None:
    given = ["曾敏", "陈明", "欧阳修", "陈", "安宁", "王𰻝", "单雄信", "李明", "连城", "王安"]
    assert sorted(given, key=n.sort_key) == [
        "安宁",
        "陈",
        "陈明",
        "李明",
        "连城",
        "欧阳修",
        "单雄信",
        "王安",
        "王𰻝",
        "曾敏",
    ]
