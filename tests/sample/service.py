"""The sample service."""

from banyan.runtime.host.service import build

SERVICE = build("tests.sample", contracts_module="tests.sample.contracts")
