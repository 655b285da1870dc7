"""RPC over RabbitMQ: the server and the clients for threads, green threads and asyncio. Only `green*` imports nameko."""
