"""The rules of identity, one file per matter; pure."""
