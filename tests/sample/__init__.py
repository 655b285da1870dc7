"""A service of the smallest kind, for the tests of the frame: a tree that is planted, watered and felled."""
