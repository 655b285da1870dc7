"""Pure codecs that every client and every verifier shares: canonical bytes, chains, the event's envelope."""
