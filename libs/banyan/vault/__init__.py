"""Secrets and what is done with them: keys in files, sealed fields, blind indexes, signed heads."""
