"""The ASGI middleware: every signal of a site's policy, on every response, in one line.

    app = AIPolicyMiddleware(app, CachedLookup(load))
"""

from aipolicy.asgi.middleware import AIPolicyMiddleware

__all__ = ["AIPolicyMiddleware"]
