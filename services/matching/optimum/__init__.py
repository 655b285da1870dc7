"""The optimum: everyone's best day, over all pairs, with a proof that anybody can add up. Pure: arrays in, arrays out.

docs/optimum.md says in words what is maximised and why the certificate proves it.
"""
