"""Rules of the sample service."""
