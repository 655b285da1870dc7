"""RPC over RabbitMQ: the server, and clients for threads, green threads and asyncio. Only `green*` imports nameko."""
