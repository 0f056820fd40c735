"""Files that outlive a process: SQLite, one writer thread, groups of entries in one transaction."""
