#!/usr/bin/env python3
# fmt: off
"""Follows a Banyan stream into a file: subscriber.py http://host STREAM FILE [--snapshot] [--once]. Plain Python 3.9, nothing else.

Line n of FILE is the event at position n, so the file is the cursor too: stop whenever you like, days later it goes on.
Log-in by $BANYAN_CLIENT_ID and $BANYAN_CLIENT_SECRET, or a token in $BANYAN_TOKEN. --once ends where nothing is new.
--snapshot begins late: what still counts of the past goes to FILE.snapshot, the signed head that it reaches up to to FILE.head, and
line n of FILE is the event at n positions after that head, from then on also without --snapshot."""
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

def reader(host):
    """Reads a place of the host; logs in anew where it must, and waits where the host is busy."""
    token = log_in(host)
    def read(place):
        nonlocal token
        while True:
            try:
                return call(host + place, token=token)
            except urllib.error.HTTPError as error:
                if error.code == 401 and "BANYAN_TOKEN" not in os.environ:
                    token = log_in(host)  # tokens last ten minutes
                elif error.code in (429, 502, 503, 504):
                    time.sleep(1)
                else:
                    raise
    return read

def lines(page):
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in page)

def write(name, text):
    """A file that is there whole or not at all."""
    with open(name + ".part", "wb") as file:
        for part in text:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name + ".part", name)

def snapshot(read, stream, name):
    """FILE.snapshot, then FILE.head: as long as that is not there, the snapshot is taken anew from its beginning."""
    head = {}
    def pages(after=""):
        while after is not None:
            page = read(f"/v1/streams/{stream}/snapshot?after={after}&limit=500")
            head.update(page["head"])  # that of the first page, however the stream grows
            yield lines(page["items"])  # here your own work: a later event of the same type and record stands for the earlier ones
            after = page["next"]
    write(name + ".snapshot", pages())
    write(name + ".head", [json.dumps(head).encode()])

def stand(file):
    """How many whole lines there are; half a line, left by a power cut, is cut off."""
    whole = file.read()
    file.seek(whole.rfind(b"\n") + 1)
    file.truncate()
    return whole.count(b"\n")

def take(page, at, stream):
    """The page's lines; stops at anything but the next position."""
    for position, item in enumerate(page, at + 1):
        if (item["stream"], item["streamposition"]) != (stream, str(position)):
            sys.exit(f"position {position} expected, got {item['streamposition']}")
    return lines(page)

def follow(read, stream, file, at, once):
    print("from position", at)
    while True:
        page = read(f"/v1/streams/{stream}?after={at}&limit=500&wait={0 if once else 30}")
        file.write(take(page, at, stream))  # here your own work: do it and keep the position in one transaction
        file.flush()
        at += len(page)
        if once and not page:
            print("up to position", at)
            return

def main(host, stream, name, *options):
    read, begun = reader(host), os.path.exists(name + ".head")
    if "--snapshot" in options and not begun:
        if os.path.exists(name):
            sys.exit(name + " is there: it goes on without a snapshot")
        snapshot(read, stream, name)
        begun = True
    since = 0
    if begun:
        with open(name + ".head", "rb") as head:
            since = int(json.load(head)["position"])
    with open(name, "a+b") as file:
        file.seek(0)
        follow(read, stream, file, since + stand(file), "--once" in options)

if __name__ == "__main__":
    main(*sys.argv[1:])
