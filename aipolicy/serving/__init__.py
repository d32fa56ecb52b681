"""Decisions of a web server that serves policies: policy files, headers and refusals, as values without I/O.

``aipolicy.asgi`` does the wiring: it turns its protocol's requests into ``Request`` and sends each
``Response``.
"""
