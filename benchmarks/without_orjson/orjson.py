"""Stands before the real orjson on the path of a server that is to run without it."""

raise ImportError("this server runs without orjson")
