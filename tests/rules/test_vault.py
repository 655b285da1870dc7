"""The vault: keys are never made anew, fields open only under their person's key, signing comes back by itself."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banyan.kernel.refusal import Refused, catalogue
from banyan.vault.ciphers import CIPHERS, Sm4Gcm, cipher_of, sm4_gcm_encrypt, sm4_offered
from banyan.vault.fields import Vault
from banyan.vault.keys import KeyFolder, SigningUnavailable, create, default_folder
from banyan.vault.sign import Signer, from_jwks, head_fault, jwks, signature_holds
from banyan.wire.chain import genesis

ALGS = [name for name, cipher in CIPHERS.items() if cipher]
needs_sm4 = pytest.mark.skipif(not sm4_offered(), reason="此密码库不含 SM4-GCM")


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return create(tmp_path / "keys")


def file_of(keys: KeyFolder, role: str) -> Path:
    (found,) = keys.path.glob(f"{role}-*.key")
    return found


def refusal(call: object, *given: object, **named: object) -> str:
    assert callable(call)
    with pytest.raises(Refused) as refused:
        call(*given, **named)
    assert refused.value.code in catalogue()
    return refused.value.code


def test_keys_lie_outside_of_the_run_folder_and_only_their_owner_reads_them(
    keys: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in keys.path.iterdir()} == {0o600}
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder("demo") == Path("/data/banyan/demo")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_folder("demo") == Path("/home/x/.local/share/banyan/demo")


def test_keys_are_made_once_and_by_command_only(keys: KeyFolder, tmp_path: Path) -> None:
    assert refusal(create, keys.path) == "key_files_exist"
    assert refusal(KeyFolder, tmp_path / "nowhere") == "key_file_missing"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("role", ["master", "signing", "index"])
def test_a_missing_key_stops_the_start_and_stays_missing(keys: KeyFolder, role: str) -> None:
    file_of(keys, role).unlink()
    assert refusal(KeyFolder, keys.path) == "key_file_missing"
    assert not list(keys.path.glob(f"{role}-*.key"))
    assert refusal(create, keys.path) == "key_files_exist"


@pytest.mark.parametrize("role", ["master", "index"])
def test_an_exposed_or_damaged_key_stops_the_start(keys: KeyFolder, role: str) -> None:
    file = file_of(keys, role)
    file.chmod(0o640)
    assert refusal(KeyFolder, keys.path) == "key_file_exposed"
    file.chmod(0o000)
    assert refusal(KeyFolder, keys.path) == "key_file_unreadable"
    file.chmod(0o600)
    kept = file.read_text()
    for damaged in (base64.b64encode(bytes(32)).decode(), kept[:20], "", "钥"):
        file.write_text(damaged)
        assert refusal(KeyFolder, keys.path) == "key_file_damaged"
    file.write_text(kept)
    assert KeyFolder(keys.path).index_key == keys.index_key


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"master": 1}'])
def test_a_damaged_list_of_current_keys_stops_the_start(keys: KeyFolder, text: str) -> None:
    (keys.path / "current.json").write_text(text)
    assert refusal(KeyFolder, keys.path) == "key_file_damaged"


@pytest.mark.parametrize("alg", ALGS)
def test_a_field_opens_only_as_what_it_was_sealed_as(keys: KeyFolder, alg: str) -> None:
    vault = Vault(keys, alg)
    dek, wrapped = vault.new_person_key()
    other, _ = vault.new_person_key()
    token = vault.seal(dek, "张三", kind="name", person_id="p-1")
    assert token.startswith(f"v1.{alg}.") and "张三" not in token
    assert vault.seal(dek, "张三", kind="name", person_id="p-1") != token
    assert vault.open(vault.unwrap(wrapped), token, kind="name", person_id="p-1") == "张三"
    assert refusal(vault.open, dek, token, kind="phone", person_id="p-1") == "field_unreadable"
    assert refusal(vault.open, dek, token, kind="name", person_id="p-2") == "field_unreadable"
    assert refusal(vault.open, other, token, kind="name", person_id="p-1") == "field_unreadable"


@pytest.mark.parametrize("alg", ALGS)
@given(text=st.text(st.characters(codec="utf-8"), max_size=40), place=st.integers(0), other=st.characters())
@settings(max_examples=60, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_altered_token_opens(keys: KeyFolder, alg: str, text: str, place: int, other: str) -> None:
    vault = Vault(keys, alg)
    dek, wrapped = vault.new_person_key()
    token = vault.seal(dek, text, kind="name")
    assert vault.open(dek, token, kind="name") == text
    place %= len(token)
    if token[place] != other:
        altered = token[:place] + other + token[place + 1 :]
        assert refusal(vault.open, dek, altered, kind="name") in ("field_unreadable", "algorithm_unavailable")
    place %= len(wrapped)
    flipped = bytes([wrapped[place] ^ 1])
    code = refusal(vault.unwrap, wrapped[:place] + flipped + wrapped[place + 1 :])
    assert code in ("field_unreadable", "algorithm_unavailable", "key_file_missing")


def test_a_key_id_is_not_a_path(keys: KeyFolder) -> None:
    assert refusal(Vault(keys).unwrap, b"v1.aes-256-gcm./../../x.AAAAAAAAAAAAAAAA.AAAA") == "field_unreadable"
    assert refusal(Vault(keys).unwrap, b"v1.aes-256-gcm.a/b.AAAAAAAAAAAAAAAA.AAAA") == "key_file_missing"


def test_old_master_keys_go_on_opening_and_new_ones_wrap(keys: KeyFolder) -> None:
    elsewhere = Vault(KeyFolder(keys.path))
    vault = Vault(keys)
    dek, before = vault.new_person_key()
    first = keys.master_id
    assert keys.rotate("master") == keys.master_id != first
    assert vault.unwrap(before) == Vault(KeyFolder(keys.path)).unwrap(before) == dek
    again = vault.rewrapped(before)
    assert again != before and vault.unwrap(again) == dek and vault.rewrapped(again) is again
    assert elsewhere.unwrap(again) == dek  # a process that started before the rotation
    assert refusal(keys.rotate, "index") == "key_not_rotatable"


def test_the_blind_index_tells_kinds_and_instances_apart(keys: KeyFolder, tmp_path: Path) -> None:
    vault = Vault(keys)
    found = vault.blind_index("document", "110101199003070000")
    assert found == Vault(KeyFolder(keys.path)).blind_index("document", "110101199003070000") and len(found) == 32
    assert found != vault.blind_index("phone", "110101199003070000")
    assert found != Vault(create(tmp_path / "other")).blind_index("document", "110101199003070000")


@needs_sm4
def test_sm4_gcm_is_that_of_rfc_8998() -> None:
    plain = bytes.fromhex("".join(digit * 16 for digit in "ABCDEFEA"))
    sealed = sm4_gcm_encrypt(
        bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
        bytes.fromhex("00001234567800000000ABCD"),
        plain,
        bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"),
    )
    assert sealed.hex().upper() == (
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )


@needs_sm4
def test_sm4_refuses_what_is_shorter_than_its_tag() -> None:
    with pytest.raises(InvalidTag):
        Sm4Gcm().decrypt(bytes(32), bytes(12), bytes(15), b"")


def test_a_cipher_that_is_not_there_is_refused(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(Vault, keys, "rot13") == "algorithm_unavailable"
    monkeypatch.setitem(CIPHERS, "sm4-gcm", None)
    assert refusal(cipher_of, "sm4-gcm") == "algorithm_unavailable"


def test_signing_fails_while_the_key_is_unreadable_and_recovers_by_itself(keys: KeyFolder) -> None:
    signer = Signer(keys)
    key_id, file = signer.key_id, file_of(keys, "signing")
    file.chmod(0o000)
    with pytest.raises(SigningUnavailable):
        signer.begin()
    assert KeyFolder(keys.path).public_keys() == keys.public_keys()  # a start in that hour goes on, and others verify
    file.chmod(0o600)
    away = file.rename(file.with_suffix(".away"))
    with pytest.raises(SigningUnavailable) as refused:
        signer.sign(b"x")
    assert refused.value.facts == {"reason": "key_file_missing"} and refused.value.code in catalogue()
    away.rename(file)
    assert signature_holds(keys.public_keys()[key_id], signer.sign(b"x"), b"x")


def test_a_head_holds_under_its_key_before_and_after_rotation(keys: KeyFolder) -> None:
    signer = Signer(keys)
    before = signer.begin().head("registry.person", 0, genesis("registry.person"), "2026-03-01T00:00:00Z")
    keys.rotate("signing")
    after = signer.begin().head("registry.person", 0, genesis("registry.person"), "2026-03-01T00:01:00Z")
    assert before.key_id != after.key_id
    published = from_jwks(jwks(keys.public_keys()))
    assert published == keys.public_keys() and len(published) == 2
    assert head_fault(before, published) is None and head_fault(after, published) is None
    assert head_fault(after, {after.key_id: published[before.key_id]}) == "head_signature"
    assert head_fault(after, {}) == "head_key_unknown"
