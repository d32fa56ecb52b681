"""The audit of a live site: the signals for each crawler, their problems, and differences from a policy.

``runner`` audits many sites. For each of them ``collector`` makes the requests, ``observation`` and
``parsed_site`` hold the answers, ``declarations`` and ``robots_access`` read the signals, ``checks`` and
``comparison`` find problems, and ``audit`` puts these into a report, of which ``document`` is the JSON form.
"""
