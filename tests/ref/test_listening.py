"""The sockets that a server listens on, over TCP and as a Unix socket."""

import errno
import os
import socket
import stat
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from octomil_ref.listening import check_address, listen
from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import Settings


@contextmanager
def listening(**settings: object):
    """The addresses that are listened on."""
    sockets = listen(Settings(**{"port": 0, **settings}))
    for each in sockets:
        each.listen()
    yield [each.getsockname() for each in sockets]
    for each in sockets:
        each.close()


@pytest.mark.parametrize("client", ["127.0.0.1", "::1"])
def test_two_colons_listen_on_both_versions_of_ip(client):
    with listening(host="::") as [(_, port, *_)]:
        socket.create_connection((client, port)).close()


def test_another_address_of_ipv6_is_for_ipv6_only():
    with listening(host="::1") as [(_, port, *_)], pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))


TWO = [
    (socket.AF_INET6, 0, 0, "", ("::1", 0, 0, 0)),
    (socket.AF_INET, 0, 0, "", ("127.0.0.1", 0)),
]


def test_all_addresses_of_a_host_have_one_port(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **options: TWO)

    with listening(host="two.example") as [(first, port, *_), (second, other_port)]:
        assert (first, second) == ("::1", "127.0.0.1")
        assert port == other_port


def test_if_one_address_of_a_host_is_taken_the_others_are_released(monkeypatch):
    with listening(host="127.0.0.1") as [(_, port)]:
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", lambda *given, **options: TWO)
            with pytest.raises(SettingsError, match="Address already in use"):
                listen(Settings(host="two.example", port=port))

        with listening(host="::1", port=port):
            pass


def test_a_port_that_is_taken_is_a_wrong_setting():
    with listening() as [(_, port)], pytest.raises(SettingsError) as caught:
        listen(Settings(port=port))

    assert str(caught.value) == (
        "OCTOMIL_HOST, OCTOMIL_PORT (--host, --port): "
        f"cannot listen on 127.0.0.1:{port}: Address already in use"
    )


def test_a_host_that_does_not_exist_is_a_wrong_setting():
    with pytest.raises(SettingsError, match="cannot listen on 256.0.0.1:0: "):
        listen(Settings(host="256.0.0.1", port=0))


def test_a_path_that_is_too_long_for_a_unix_socket_is_a_wrong_setting():
    with pytest.raises(SettingsError, match="/a: AF_UNIX path too long$"):
        listen(Settings(unix_socket="/x" * 99 + "/a"))


def test_a_check_leaves_the_address_free():
    with listening() as [(_, port)]:
        pass

    check_address(Settings(port=port))

    with listening(port=port):
        pass


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the path of a Unix socket is short
    return Path("octomil.sock")


def connect(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(str(path))


def test_a_unix_socket_takes_the_place_of_host_and_port(path):
    with listening(unix_socket=str(path)) as addresses:
        connect(path)

        assert addresses == [str(path)]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666


def test_a_unix_socket_that_was_left_behind_is_replaced(path):
    with listening(unix_socket=str(path)):
        pass

    with listening(unix_socket=str(path)):
        connect(path)


def serve_at(path: Path) -> socket.socket:
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(path))
    other.listen()
    return other


@pytest.mark.parametrize("take", [serve_at, lambda path: path.open("w")])
def test_a_path_that_is_taken_is_a_wrong_setting(path, take):
    with take(path), pytest.raises(SettingsError) as caught:
        listen(Settings(unix_socket=str(path)))

    assert str(caught.value) == (
        "OCTOMIL_UNIX_SOCKET (--unix-socket): "
        f"cannot listen on unix:{path}: {os.strerror(errno.EADDRINUSE)}"
    )
