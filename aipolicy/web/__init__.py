"""A GET client that refuses private addresses and bounds size and time, and tables of networks."""
