"""Keys in files of mode 0600 in a folder of their own: made only by explicit command, never again by themselves.

`<role>-<key_id>.key` holds base64 of 32 bytes, `signing-<key_id>.pub` the public half, `current.json` names the
key of each role that seals and signs now. Older keys stay, to open and verify what was written under them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from banyan.kernel.refusal import Refused

ROLES = ("master", "signing", "index")
ROTATABLE = ("master", "signing")  # another index key would make every blind index wrong
KEY_BYTES = 32
CURRENT, RETIRED = "current.json", "retired"


class SigningUnavailable(Refused):
    """The signing key cannot be read now; the next pass reads it anew, so nothing needs a restart."""

    def __init__(self, reason: str) -> None:
        super().__init__("signing_unavailable", reason=reason)


def default_folder(instance: str) -> Path:
    """Where an instance's keys lie: outside of any run folder, so that clearing one never costs a key."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "banyan" / instance


def key_id(role: str, key: bytes) -> str:
    """A key's public name: 16 hex digits of a hash, of the public half for signing keys."""
    named = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw() if role == "signing" else key
    return hashlib.sha256(f"banyan.key.{role}.".encode() + named).hexdigest()[:16]


def create(path: Path | str) -> KeyFolder:
    """Makes the three first keys; refuses a folder that has any, since new keys there would orphan what is sealed."""
    folder = Path(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.glob("*.key")):
        raise Refused("key_files_exist", folder=str(folder))
    _write_current(folder, {role: _add(folder, role) for role in ROLES})
    return KeyFolder(folder)


class KeyFolder:
    """The keys of one instance; a missing, exposed or damaged one stops the start with its name."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._keys: dict[tuple[str, str], bytes] = {}
        self._seen_ns = self._written_ns()
        current = self._current()
        self._master_id = current["master"]
        self.master(self._master_id)
        self.index_key = self._read("index", current["index"])
        if not self._file("signing", current["signing"]).exists():
            raise Refused("key_file_missing", role="signing", key_id=current["signing"], folder=str(self.path))

    @property
    def master_id(self) -> str:
        """The master key that wraps now: a rotation by another process holds from the next need, without a restart.

        While the folder cannot be read, the one that was known."""
        with contextlib.suppress(OSError, Refused):
            written_ns = self._written_ns()
            if written_ns != self._seen_ns:
                named = self._current()["master"]
                self.master(named)
                self._master_id, self._seen_ns = named, written_ns
        return self._master_id

    def _written_ns(self) -> int:
        file = self.path / CURRENT
        return file.stat().st_mtime_ns if file.exists() else 0

    def master(self, key_id: str) -> bytes:
        """The master key of that id, old ones too, also one that another process added after our start."""
        if ("master", key_id) not in self._keys:
            self._keys["master", key_id] = self._read("master", key_id)
        return self._keys["master", key_id]

    def signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        """(key_id, key), read from the file at every call; `SigningUnavailable` as long as that fails."""
        try:
            current = self._current()["signing"]
            return current, Ed25519PrivateKey.from_private_bytes(self._read("signing", current))
        except Refused as refused:
            raise SigningUnavailable(refused.code) from refused

    def public_keys(self) -> dict[str, bytes]:
        """key_id → 32 raw public bytes of every signing key there was; needs no private key."""
        found = {}
        for file in sorted(self.path.glob("signing-*.pub")):
            found[file.stem.removeprefix("signing-")] = base64.b64decode(file.read_text())
        return found

    def rotate(self, role: str) -> str:
        """Adds a key (or takes the prepared one) and makes it its role's current one; gives its id.

        Old ones go on opening and verifying. Refuses `key_not_rotatable`."""
        named = self.prepared(role) or self._added(role)
        kept = {place: key for place, key in self._written().items() if place != f"next_{role}"}
        _write_current(self.path, kept | {role: named})
        return named

    def prepare(self, role: str) -> str:
        """Adds a key that is to follow the current one, so that others may know it before it is used; gives its id."""
        named = self.prepared(role) or self._added(role)
        _write_current(self.path, self._written() | {f"next_{role}": named})
        return named

    def prepared(self, role: str) -> str | None:
        """The key that is to follow the current one, if there is one."""
        return self._written().get(f"next_{role}")

    def retire(self, role: str, wanted: str) -> Path:
        """Puts an old key away into `retired/`, where nothing looks for it; refuses `key_in_use` for a current one."""
        if wanted in self.current().values():
            raise Refused("key_in_use", role=role, key_id=wanted, persons=0)
        self._read(role, wanted)
        away = self.path / RETIRED / self._file(role, wanted).name
        away.parent.mkdir(mode=0o700, exist_ok=True)
        return self._file(role, wanted).rename(away)

    def bring_back(self, away: Path) -> None:
        """Undoes a `retire`."""
        away.rename(self.path / away.name)

    def current(self) -> dict[str, str]:
        """Role → id of the key that is used now."""
        return self._current()

    def ids(self, role: str) -> list[str]:
        """Every key of a role that is not retired, the oldest first."""
        files = sorted(self.path.glob(f"{role}-*.key"), key=lambda file: file.stat().st_mtime_ns)
        return [file.stem.removeprefix(f"{role}-") for file in files]

    def _added(self, role: str) -> str:
        if role not in ROTATABLE:
            raise Refused("key_not_rotatable", role=role)
        return _add(self.path, role)

    def _file(self, role: str, key_id: str) -> Path:
        return self.path / f"{role}-{key_id}.key"

    def _current(self) -> dict[str, str]:
        written = self._written()
        return {role: written[role] for role in ROLES}

    def _written(self) -> dict[str, str]:
        """All that current.json says: the key of each role, and `next_<role>` where one is prepared."""
        file = self.path / CURRENT
        try:
            written = json.loads(file.read_text())
            return {**written, **{role: str(written[role]) for role in ROLES}}
        except FileNotFoundError as error:
            raise Refused("key_file_missing", role=CURRENT, folder=str(self.path)) from error
        except OSError as error:
            raise Refused("key_file_unreadable", role=CURRENT, folder=str(self.path)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Refused("key_file_damaged", role=CURRENT, folder=str(self.path)) from error

    def _read(self, role: str, wanted: str) -> bytes:
        """One key, refused unless only its owner may read it and it is the key that its name says."""
        facts = {"role": role, "key_id": wanted, "folder": str(self.path)}
        file = self._file(role, wanted)
        try:
            mode = file.stat().st_mode & 0o777
            if not mode & 0o400:  # root would read it all the same: what is withdrawn must be so for every user
                raise PermissionError(file)
            text = file.read_bytes()
        except FileNotFoundError as error:
            raise Refused("key_file_missing", **facts) from error
        except OSError as error:
            raise Refused("key_file_unreadable", **facts) from error
        if mode & 0o077:
            raise Refused("key_file_exposed", mode=f"{mode:04o}", **facts)
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES or key_id(role, key) != wanted:
            raise Refused("key_file_damaged", **facts)
        return key


def _add(folder: Path, role: str) -> str:
    key = secrets.token_bytes(KEY_BYTES)
    name = key_id(role, key)
    _write(folder / f"{role}-{name}.key", base64.b64encode(key).decode())
    if role == "signing":
        public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        _write(folder / f"{role}-{name}.pub", base64.b64encode(public).decode())
    return name


def _write_current(folder: Path, current: dict[str, str]) -> None:
    """Replaces current.json in one step: a crash leaves the old or the new, and every key it names is on disk."""
    fresh = folder / f"current.{secrets.token_hex(4)}"
    _write(fresh, json.dumps(current, indent=1))
    os.replace(fresh, folder / CURRENT)
    listing = os.open(folder, os.O_RDONLY)
    os.fsync(listing)
    os.close(listing)


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(text + "\n")
        written.flush()
        os.fsync(written.fileno())
