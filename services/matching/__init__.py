"""Matching 供需对接 brings a call for help to a worker who can answer it.

It owns requests, households, duty rosters and its own copy of who can be asked. It promises that no request is ever
without somebody who answers for it or a reason why it ended, that every clock survives a restart, and that a worker
sees the need but not the name before accepting. It refuses to offer a crisis round and to show a protected case to
anyone not named. Its neighbours: registry tells it who is assigned where; insight counts what it reports; identity says
who holds which duty.
"""
