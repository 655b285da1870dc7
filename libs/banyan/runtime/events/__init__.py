"""Events: outbox, relay, the log that is the truth, subscriptions that keep a cursor."""
