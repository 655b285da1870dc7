#!/usr/bin/env python3
# fmt: off
"""Proves a Banyan stream by docs/proof.md alone: verify.py ITEMS HEAD JWKS. ITEMS: a JSON-lines file, or
http://host/v1/streams/NAME ($BANYAN_TOKEN is sent). HEAD and JWKS: files, or URLs. Needs Python 3.9, openssl 3."""
import base64, hashlib, json, os, subprocess, sys, tempfile, urllib.request  # noqa: E401, I001

REDACTED = {"specversion", "stream", "streamposition", "redacted", "digest", "chain"}
PROOF = {"salt", "digest", "chain"}

def need(holds, what):
    if not holds:
        raise ValueError(what)

def loads(text):  # a key given twice becomes a float, which in_order refuses where it stands
    return json.loads(text, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else 0.5)

def in_order(value):
    need(not isinstance(value, float), "a float, or a key given twice")
    need(not isinstance(value, int) or abs(value) < 2**53, "an integer above 2^53 - 1")
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value, key=lambda k: k.encode("utf-16-be"))}
    return [in_order(each) for each in value] if isinstance(value, list) else value

def canonical(value):
    return json.dumps(in_order(value), ensure_ascii=False, separators=(",", ":")).encode()

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def salt_of(text):
    salt = base64.b64decode(text)
    need(len(salt) == 16 and base64.b64encode(salt).decode() == text, "a salt is not 16 bytes in base64")
    return salt

def listed(text):
    return dict(part.split(":", 1) for part in text.split(" ") if part)

def digest_of(item):  # rules 3-6: the digest that the content of an item has, seen whole or in part
    salt, part = salt_of(item["salt"]), "leaves" in item
    bare = {key: item[key] for key in item if key not in PROOF and not (part and key in ("salts", "leaves"))}
    if part or "data" in item:
        need("personal" not in bare["data"], "personal stands in data")
        fields = {**bare.pop("data"), **({"personal": bare.pop("personal")} if "personal" in bare else {})}
        salts, bare["leaves"] = (listed(item["salts"]), listed(item["leaves"])) if part else ({}, {})
        for name, value in fields.items():
            own = salt_of(salts[name]) if part else sha(b"field", salt, name.encode())[:16]
            bare["leaves"][name] = sha(own, canonical({name: value})).hex()
    return sha(salt if part else sha(b"envelope", salt)[:16], canonical(bare))

def check(item, stream, n, previous):
    """Rules 2-7 for one item; gives chain[n]."""
    need((item["stream"], item["streamposition"]) == (stream, str(n)), "another stream or position")
    digest, chain = bytes.fromhex(item["digest"]), bytes.fromhex(item["chain"])
    need((digest.hex(), chain.hex()) == (item["digest"], item["chain"]), "digest or chain is not in lower-case hex")
    if item.get("redacted") is True:
        need(set(item) == REDACTED and item["specversion"] == "1.0", "not the form of a redacted item")
    else:
        need(digest_of(item) == digest, "the digest does not hold")
    need(len(digest) == 32 and sha(previous, digest) == chain, "the chain does not hold")
    return chain

def prove(items, head):
    """Rules 2-9 without the signature: (last position, None), or (first bad position, what is wrong)."""
    n, previous, items = 0, sha(b"banyan.stream.v1:" + head["stream"].encode()), iter(items)
    while head["position"] != str(n) or head["chain"] == previous.hex():
        try:
            item = next(items, items)
            if item is items:
                return (n, None) if n >= int(head["position"]) else (n + 1, "missing up to " + head["position"])
            previous = check(item, head["stream"], n + 1, previous)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return n + 1, str(error)
        n += 1
    return n, "the chain is not the signed one"

# The chain ends here; below are the signature (rule 8) and the places that things are read from.

def signed(head, jwks):
    need(head["hash_alg"] == "sha-256" and head["sign_alg"] == "ed25519", "an algorithm that this verifier lacks")
    keys = [key for key in jwks["keys"] if key.get("kid") == head["key_id"] and key.get("crv") == "Ed25519"]
    need(keys, "no public key " + head["key_id"])
    key = bytes.fromhex("302a300506032b6570032100") + base64.urlsafe_b64decode(keys[0]["x"] + "=")
    signature = base64.b64decode(head["signature"])
    need(base64.b64encode(signature).decode() == head["signature"], "the signature is not in base64")
    content = canonical({name: head[name] for name in head if name != "signature"})
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("key", key), ("content", content), ("signature", signature)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(part)
        call = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key"]
        call += ["-rawin", "-in", "content", "-sigfile", "signature"]
        answer = subprocess.run(call, cwd=folder, capture_output=True, check=False)
        need(answer.returncode == 0, "the signature does not hold")

def read(place):
    if not place.startswith("http"):
        with open(place, "rb") as file:
            return file.read()
    token = os.environ.get("BANYAN_TOKEN", "")
    with urllib.request.urlopen(urllib.request.Request(place, headers={"Authorization": "Bearer " + token})) as answer:
        return answer.read()

def feed(place, head):
    if not place.startswith("http"):
        yield from map(loads, read(place).splitlines())
        return
    after, page = 0, [None]
    while page and after < int(head["position"]):
        page = loads(read(f"{place}?after={after}&limit=500"))
        need(isinstance(page, list), "a page is not an array")
        yield from page
        after += len(page)

def main(items, head_place, jwks_place):
    head = loads(read(head_place))
    try:
        signed(head, loads(read(jwks_place)))
    except ValueError as error:
        print(f"bad head at position {head['position']}: {error}")
        return 1
    n, what = prove(feed(items, head), head)
    whole = f"whole: {n} items of {head['stream']}, signed up to {head['position']}"
    print(f"bad at position {n}: {what}" if what else whole)
    return 1 if what else 0

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
