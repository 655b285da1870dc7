"""The private servers that tests, the demo and `banyan up` start: see PrivateServer for what each can do."""

from banyan.testkit.detached import ServerFailed, free_port
from banyan.testkit.postgres import PrivatePostgres
from banyan.testkit.private_server import PrivateServer
from banyan.testkit.proxy import TcpProxy
from banyan.testkit.rabbit import PrivateRabbit

__all__ = ["PrivatePostgres", "PrivateRabbit", "PrivateServer", "ServerFailed", "TcpProxy", "free_port"]
