"""Publication of our public quotes by a process of its own that reads the journal (PUBLISH.md)."""
