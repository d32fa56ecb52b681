"""The compliance checker: who fetched what it had been asked not to, from access logs."""
