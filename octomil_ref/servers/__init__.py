"""The manners that gunicorn and waitress lack: how many clients are let in, how long each may take, how a process ends."""
