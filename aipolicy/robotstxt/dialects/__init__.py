"""Models of parsers that read robots.txt differently from RFC 9309."""
