"""Access logs whose every line is known: which crawler, which verdict, which identity, and why.

Written from the definitions (RFC 9309, the meaning of *Compliance*), not from the checker: of aipolicy it
uses the crawler table's plain facts and what the robots.txt of a policy says, and nothing else.
"""
