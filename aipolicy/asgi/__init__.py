"""The ASGI middleware: every signal of a site's policy, on every response, in one line.

app = AIPolicyMiddleware(app, CachedLookup(load))
"""

from aipolicy.asgi.events import DisallowedFetch
from aipolicy.asgi.middleware import AIPolicyMiddleware
from aipolicy.asgi.path_tenants import PathTenants

__all__ = ["AIPolicyMiddleware", "DisallowedFetch", "PathTenants"]
