"""A client for URLs of unknown origin: private addresses are refused, size and time are bounded."""
