"""One engine for each signal: which of its statements holds. They differ, and must not be mixed.

robots.txt: the crawler's group, then the longest rule. AIPREF: the most restrictive of all carriers.
Content-Signal: the crawler's group; of two that disagree none is known to win. TDMRep: the most specific
carrier. X-Robots-Tag: the sum of the negatives. ai.txt and RSL: as they are.
"""
