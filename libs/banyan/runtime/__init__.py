"""The only place with effects: commands, events, RPC, notices, and what a process is made of."""
