"""Where the JSON of several servers has what is wanted: the first member that is there counts.

A path is the keys down to a member; ``[]`` behind it: a list of strings.
"""

from collections.abc import Mapping

HANDLED = "handled request"
Paths = tuple[str, ...]
Members = Mapping[str, Paths]
"""Column to the paths of the members it may be read from.

``request`` is a request line, ``uri`` a target without its ``query``, and where there is a ``message``, only
lines that say "handled request" are requests.
"""

# https://caddyserver.com/docs/logging; before version 2.5 the address had its port.
# client_ip is what the server made of its trusted_proxies; without them it is the peer's address.
CADDY: Members = {
    "host": ("request/host",),
    "address": ("request/client_ip", "request/remote_ip", "request/remote_addr"),
    "forwarded": ("request/headers/X-Forwarded-For[]",),
    "message": ("msg",),
    "time": ("ts",),
    "target": ("request/uri",),
    "status": ("status",),
    "user_agent": ("request/headers/User-Agent[]",),
}

# https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
CLOUDFLARE: Members = {
    "host": ("ClientRequestHost",),
    "address": ("ClientIP",),
    "forwarded": ("RequestHeaders/x-forwarded-for",),
    "time": ("EdgeStartTimestamp",),
    "target": ("ClientRequestURI", "ClientRequestPath"),
    "status": ("EdgeResponseStatus",),
    "user_agent": ("ClientRequestUserAgent",),
}

# With escape=json every key is the administrator's: the variables' names, and those often seen instead.
# https://nginx.org/en/docs/varindex.html
NGINX: Members = {
    "host": ("host", "http_host", "server_name", "vhost", "domain"),
    "address": ("remote_addr", "client_ip", "remote_ip", "clientip", "client", "ip"),
    "forwarded": (
        "http_x_forwarded_for",
        "x_forwarded_for",
        "xff",
        "http_cf_connecting_ip",
        "http_x_real_ip",
    ),
    "time": ("time_iso8601", "msec", "time_local", "@timestamp", "timestamp", "time", "ts"),
    "target": ("request_uri",),
    "request": ("request",),
    "uri": ("uri", "url", "path"),
    "query": ("args", "query_string"),
    "status": ("status", "status_code", "response"),
    "user_agent": ("http_user_agent", "user_agent", "agent", "useragent"),
}
