"""Reports of a run, for people and for machines. Everything that they contain passes through `redact`."""
