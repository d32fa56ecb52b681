"""The ASGI middleware, which adds every signal of a site's policy to every response.

app = AIPolicyMiddleware(app, CachedLookup(load))
"""

from aipolicy.asgi.middleware import AIPolicyMiddleware
from aipolicy.asgi.path_tenants import PathTenants
from aipolicy.serving.disallowed_fetches import DisallowedFetch

__all__ = ["AIPolicyMiddleware", "DisallowedFetch", "PathTenants"]
