"""gateway 网关: HTTP for front ends and other systems. It decides nothing: no rule, no database, no secret of its own.

It owns: addresses, problem+json, the OpenAPI and AsyncAPI texts (made from the contracts), uploaded files until a job
has read them. It promises: the answer of a service goes out as the very bytes that came, a refusal keeps its code and
facts, no body or query string is ever logged. It refuses what is no JSON, what is too large and who asks too often.
Its neighbours: every service, by RPC only; identity for tokens and public keys.
"""
