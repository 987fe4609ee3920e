"""The sockets that a server listens on: TCP sockets, or one Unix socket."""

import os
import socket
import stat
from contextlib import ExitStack, closing, suppress

from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import Settings

EVERYONE = 0o666
"""Every user may use the Unix socket: the permissions of its folder decide who can reach it, as with gunicorn's."""


def listen(settings: Settings) -> list[socket.socket]:
    """The listening sockets. Raises SettingsError if the address is taken or does not exist."""
    try:
        if settings.unix_socket:
            return [_unix_socket(settings.unix_socket)]
        return _tcp_sockets(settings.host, settings.port)
    except (OSError, UnicodeError) as ex:
        # socket.create_server adds the address to the reason. The error for a path that is too long has no `strerror`.
        why = str(getattr(ex, "strerror", None) or ex).partition(" (while")[0]
        variables = "OCTOMIL_HOST, OCTOMIL_PORT (--host, --port)"
        if settings.unix_socket:
            variables = "OCTOMIL_UNIX_SOCKET (--unix-socket)"
        raise SettingsError(
            f"{variables}: cannot listen on {settings.address()}: {why}"
        ) from ex


def check_address(settings: Settings) -> None:
    """Raises SettingsError if `listen` would."""
    for each in listen(settings):
        each.close()


def _tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """One for each address of the host, all with one port. `::` listens on IPv4 too."""
    dualstack = host == "::" and socket.has_dualstack_ipv6()
    addresses = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    with ExitStack() as opened:
        for family, _, _, _, address in addresses:
            listener = socket.create_server(
                (address[0], port), family=family, dualstack_ipv6=dualstack
            )
            sockets.append(opened.enter_context(listener))
            port = listener.getsockname()[1]
        opened.pop_all()
    return sockets


def _unix_socket(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode) and not _answers(path):
            os.unlink(path)  # left behind by a server that has ended
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        os.chmod(path, EVERYONE)
        opened.pop_all()
    return listener


def _answers(path: str) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return False
        return True
