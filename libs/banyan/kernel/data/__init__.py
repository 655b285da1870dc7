"""Small pure data of the kernel: code tables and surnames."""
