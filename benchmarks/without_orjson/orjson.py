"""Hides the real orjson from a server that has to run without it."""

raise ImportError("this server runs without orjson")
