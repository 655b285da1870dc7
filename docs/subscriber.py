#!/usr/bin/env python3
# fmt: off
"""Follows a Banyan stream into a file: subscriber.py http://host STREAM FILE [--once]. Plain Python 3.9, nothing else.

Line n of FILE is the event at position n, so the file is the cursor too: stop whenever you like, days later it goes on.
Log-in by $BANYAN_CLIENT_ID and $BANYAN_CLIENT_SECRET, or a token in $BANYAN_TOKEN. --once ends where nothing is new."""
import json, os, sys, time, urllib.error, urllib.request  # noqa: E401, I001

def call(place, body=None, token=""):
    data = json.dumps(body).encode() if body else None
    headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
    with urllib.request.urlopen(urllib.request.Request(place, data, headers), timeout=60) as answer:
        return json.loads(answer.read())

def log_in(host):
    if "BANYAN_TOKEN" in os.environ:
        return os.environ["BANYAN_TOKEN"]
    names = {"client_id": "BANYAN_CLIENT_ID", "client_secret": "BANYAN_CLIENT_SECRET"}
    return call(host + "/v1/token", {key: os.environ[name] for key, name in names.items()})["access_token"]

def stand(file):
    """Our position: the number of whole lines; half a line, left by a power cut, is cut off."""
    whole = file.read()
    file.seek(whole.rfind(b"\n") + 1)
    file.truncate()
    return whole.count(b"\n")

def take(page, at, stream):
    """The page's lines; stops at anything but the next position."""
    for position, item in enumerate(page, at + 1):
        if (item["stream"], item["streamposition"]) != (stream, str(position)):
            sys.exit(f"position {position} expected, got {item['streamposition']}")
        yield json.dumps(item, ensure_ascii=False).encode() + b"\n"

def follow(host, stream, file, once):
    at, token, wait_s = stand(file), log_in(host), 0 if once else 30
    print("from position", at)
    while True:
        try:
            page = call(f"{host}/v1/streams/{stream}?after={at}&limit=500&wait={wait_s}", token=token)
        except urllib.error.HTTPError as error:
            if error.code == 401 and "BANYAN_TOKEN" not in os.environ:
                token = log_in(host)  # tokens last ten minutes
            elif error.code not in (429, 502, 503, 504):
                raise
            else:
                time.sleep(1)
            continue
        file.write(b"".join(take(page, at, stream)))  # here your own work: do it and keep the position in one transaction
        file.flush()
        at += len(page)
        if once and not page:
            print("up to position", at)
            return

if __name__ == "__main__":
    with open(sys.argv[3], "a+b") as opened:
        opened.seek(0)
        follow(sys.argv[1], sys.argv[2], opened, "--once" in sys.argv)
