"""`octomil-ref demo`: the server with a small language model inside."""
