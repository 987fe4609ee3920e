"""What came of a run, for people and for machines. Everything that is written passes through `redact`."""
