"""Fetch what strangers name, without being led into one's own network."""

from aipolicy.check.web.fetcher import Fetcher
from aipolicy.check.web.response import Hop, Response

__all__ = ["Fetcher", "Hop", "Response"]
