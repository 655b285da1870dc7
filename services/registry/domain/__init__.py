"""The rules of registry: pure functions of record, command and context. No clock, no database, no broker."""
