"""Tests with labelled access logs: crawler, verdict and identity of every line are known.

The labels follow from the definitions (RFC 9309, and the verdicts of the reference), not from the checker: of
aipolicy only the facts in the crawler table and the rendering of a policy's robots.txt are used.
"""
