"""Many sites at once: import from files, and generation of files and configuration for static servers."""
