"""A soak test of answers while everything around them breaks: ``python -m tests.soak`` and a short form.

Real processes: PostgreSQL, ``aipolicy replica``, uvicorn with four workers, clients that ask all the while, a
writer that changes policies, and an oracle that knows every change and its time.
"""
