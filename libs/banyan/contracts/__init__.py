"""The words that services share: one module a service, its commands, queries and events; nothing else crosses a border."""
