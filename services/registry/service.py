"""The service registry, put together from what its modules declare."""

from banyan.runtime.host.service import build

SERVICE = build(__package__)
