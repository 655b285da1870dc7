"""Notices to people: written with the command, sent once by an adapter, with receipt, retry and quiet hours."""
