"""A service of the smallest kind, for the frame's own tests: a tree that is planted, watered by volunteers and felled."""
