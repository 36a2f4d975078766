"""The smallest possible Redis client: what logs in here is nothing but the protocol."""

import socket


class RespError(Exception):
    """An error reply; `kind` is its first word, such as NOPERM or WRONGPASS."""

    @property
    def kind(self):
        return str(self).split(" ", 1)[0]


class Resp:
    """One connection to one server. Not for sharing between threads."""

    def __init__(self, port, host="127.0.0.1", timeout=5.0):
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._stream = self._socket.makefile("rb")

    def close(self):
        self._stream.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, *words):
        """Writes a command without waiting for its reply."""
        out = [f"*{len(words)}\r\n".encode()]
        for word in words:
            raw = word if isinstance(word, bytes) else str(word).encode()
            out += [f"${len(raw)}\r\n".encode(), raw, b"\r\n"]
        self._socket.sendall(b"".join(out))

    def read(self):
        """The next reply: str, int, list or None; an error reply is raised."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        mark, rest = line[:1], line[1:-2].decode()
        if mark == b"+":
            return rest
        if mark == b"-":
            raise RespError(rest)
        if mark == b":":
            return int(rest)
        if mark == b"$":
            size = int(rest)
            if size < 0:
                return None
            return self._stream.read(size + 2)[:-2].decode("utf-8", "replace")
        if mark == b"*":
            return None if int(rest) < 0 else [self._item() for _ in range(int(rest))]
        raise ConnectionError(f"unknown reply {line!r}")

    def _item(self):
        try:
            return self.read()
        except RespError as error:
            return error

    def call(self, *words):
        """Sends a command and returns its reply."""
        self.send(*words)
        return self.read()


def login(port, user, password):
    """A logged-in connection, or RespError. `user` None is AUTH with one argument."""
    connection = Resp(port)
    try:
        if user is None:
            connection.call("AUTH", password)
        else:
            connection.call("AUTH", user, password)
    except BaseException:
        connection.close()
        raise
    return connection


def can_login(port, user, password):
    """Whether the server accepts the login; any other trouble than a refusal is raised."""
    try:
        login(port, user, password).close()
        return True
    except RespError as error:
        if error.kind in ("WRONGPASS", "ERR"):
            return False
        raise


def verdict(connection, *words):
    """`ok`, or the first word of the error reply."""
    try:
        connection.call(*words)
        return "ok"
    except RespError as error:
        return error.kind
