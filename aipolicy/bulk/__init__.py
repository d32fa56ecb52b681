"""Many sites at once: files of theirs read, and every site's robots.txt written for a static server."""
