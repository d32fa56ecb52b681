"""A soak test: answers must stay correct while parts of the system fail. ``python -m tests.soak`` runs it.

It uses real processes: PostgreSQL, ``aipolicy replica``, and uvicorn with four workers. Clients send requests
and a writer changes policies all the time. An oracle, which knows all changes, judges each answer.
"""
