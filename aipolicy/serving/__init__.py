"""Policy files, headers and refusals for a web server, as values without I/O.

``aipolicy.asgi`` makes a ``Request`` of each ASGI request, and sends each ``Response``.
"""
