"""Requests to servers on the Internet that are safe to make for URLs of unknown origin."""
