"""identity as one service, made of what stands beside this file."""

from banyan.runtime.host.service import build

SERVICE = build(__package__ or "services.identity")
