"""One command, one transaction: the bus and what it stands on."""
