"""One command, its event, its figure, its proof: the thinnest path, through real servers and real processes."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from tests.instance import Instance


def test_a_command_becomes_an_event_a_figure_and_a_proof(platform: Instance) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="甲", owner="王二")
    for number in range(20):
        platform.command("water_tree", key=f"w{number}", tree_id=tree["id"], litres=2)

    platform.wait_until(lambda: platform.figure().get(tree["id"]) == 40, "the projection has all the water")
    items = platform.stream("sample.tree")
    assert [json.loads(item)["type"] for item in items[:2]] == [
        "cn.banyan.sample.tree.planted.v1",
        "cn.banyan.sample.tree.watered.v1",
    ]
    assert "王二" not in b"".join(items).decode()
    assert verify(items, public_keys=platform.public_keys()).whole


def test_serve_became_green_before_anything_had_to_be_mended(platform: Instance) -> None:
    assert "monkey_patch" not in (platform.laptop.folder / "serve.log").read_text("utf-8")


def test_the_same_key_answers_the_same_and_another_body_is_refused(platform: Instance) -> None:
    first = platform.command("plant_tree", key="k", division="350203001000", label="一")
    assert platform.command("plant_tree", key="k", division="350203001000", label="一") == first
    with pytest.raises(Refused) as refused:
        platform.command("plant_tree", key="k", division="350203001000", label="二")
    assert refused.value.code == "key_reused"


def test_what_was_seen_is_in_the_audit_trail(platform: Instance) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="乙", owner="王二")
    assert platform.query("see_tree", tree_id=tree["id"])["owner"] == "王二"
    looks = platform.query("who_looked", duty="audit_admin", person_id=tree["id"])["items"]
    assert (looks[0]["method"], looks[0]["fields"]) == ("see_tree", ["owner"])


def test_an_erased_owner_stays_erased_and_the_proof_whole(platform: Instance) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="丙", owner="王二")
    platform.command("forget_owner", tree_id=tree["id"])
    platform.wait_until(lambda: tree["id"] in str(platform.stream("sample.tree")), "the event is in the log")
    assert verify(platform.stream("sample.tree"), public_keys=platform.public_keys()).whole
    with psycopg.connect(platform.database) as connection:
        row = connection.execute("select wrapped from person_key where person_id = %s", (tree["id"],)).fetchone()
        assert row == (None,)


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("plant_tree", {"division": "350103001000", "label": "外地"}, "not_found"),
        ("water_tree", {"tree_id": "t-none", "litres": 1}, "not_found"),
        ("water_tree", {"tree_id": "t-none", "litres": 0}, "bad_input"),
        ("plant_tree", {"division": "350203001000", "label": "榕", "colour": "绿"}, "bad_input"),
        ("cut_hedge", {}, "unknown_command"),
    ],
)
def test_a_wrong_call_is_refused_clearly(platform: Instance, method: str, body: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as refused:
        platform.command(method, **body)
    assert refused.value.code == code


LONG = "长" * 300_000


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("plant_tree", b'{"division":"350203001000","label":"a\\u0000b"}', "bad_input"),
        ("plant_tree", b'{"division":"350203001000","label":"\\ud800"}', "bad_input"),
        ("plant_tree", b'{"division":"350203001000","label":"\xff"}', "bad_input"),
        ("plant_tree", b'{"division":"3502\\u0000","label":"x"}', "bad_input"),
        ("open_heap", f'{{"division":"350203001000","tree_id":"{LONG}"}}'.encode(), "too_large"),
        ("prune_tree", b'{"tree_id":"t-none","branches":' + b"9" * 40 + b"}", "bad_input"),
        ("prune_tree", b'{"tree_id":"t-none","branches":NaN}', "bad_input"),
        ("rest_tree", b'{"tree_id":"t-none","until":"0001-01-01"}', "bad_input"),
        ("see_tree", b'{"tree_id":"a\\u0000b"}', "bad_input"),
        ("see_tree", f'{{"tree_id":"{LONG}"}}'.encode(), "not_found"),
        ("tree_as_of", b'{"tree_id":"t-none","on":"9999-12-31"}', "bad_input"),
        ("tree_as_of", b'{"tree_id":"t-none","on":"2026-01-01","known_at":"2026-01-01T00:00:00"}', "bad_input"),
        ("see_tree", b'{"tree_id":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "bad_input"),
        ("see_tree", b'["t-none"]', "bad_input"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_rubbish_sent_past_the_gateway_is_refused_and_never_an_inner_error(
    platform: Instance, method: str, body: bytes, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        platform.client.call("sample", method, body, token=platform.token(), key=str(uuid.uuid4()), timeout_s=10)
    assert refused.value.code == code, refused.value
    assert code == "not_found" or refused.value.facts


@pytest.mark.parametrize("token", ["", "\0", "a.b.c", "e30.e30.e30", "居民", ".".join(["A" * 3000] * 3), "eyJhbGciOiJub25lIn0.e30."])
def test_a_token_that_is_none_is_refused_whatever_it_is(platform: Instance, token: str) -> None:
    with pytest.raises(Refused) as refused:
        platform.call("see_tree", {"tree_id": "t-none"}, key=None, token=token)
    assert refused.value.code == "unauthenticated"


def test_many_at_once_answer_item_by_item(platform: Instance) -> None:
    trees = [platform.command("plant_tree", division="350203001000", label=f"多{n}")["id"] for n in range(3)]
    items = [{"tree_id": tree, "litres": 3} for tree in (*trees, "t-none")]
    first = platform.command("water_trees", key="bulk", items=items)["items"]
    assert [item["done"]["version"] for item in first[:3]] == [2, 2, 2]
    assert first[3]["refused"]["code"] == "not_found"
    assert platform.command("water_trees", key="bulk", items=items)["items"] == first
    platform.wait_until(lambda: [platform.figure().get(tree) for tree in trees] == [3, 3, 3], "each got its water once")


def test_one_that_a_constraint_refuses_does_not_keep_the_others(platform: Instance) -> None:
    trees = [platform.command("plant_tree", division="350203001000", label=f"湿{n}")["id"] for n in range(4)]
    for number in range(5):
        platform.command("water_tree", key=f"wet{number}", tree_id=trees[2], litres=1000)
    items = [{"tree_id": tree, "litres": 1} for tree in trees]
    answers = platform.command("water_trees", items=items)["items"]
    assert [("done" in a, a.get("refused", {}).get("code")) for a in answers] == [
        (True, None),
        (True, None),
        (False, "internal"),
        (True, None),
    ]
