"""Stands between a client and the service and keeps the client's own bytes, for replays."""

import socket
import threading


class Tap:
    """Forwards TCP connections; `requests` holds what each connection sent."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            kept = bytearray()
            self.requests.append(kept)
            for source, sink, keep in ((near, far, kept), (far, near, None)):
                threading.Thread(target=pump, args=(source, sink, keep), daemon=True).start()


def pump(source, sink, keep):
    """Copies until either side ends."""
    try:
        while block := source.recv(65536):
            if keep is not None:
                keep += block
            sink.sendall(block)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def replay(port, raw):
    """Sends the bytes again as they were; the reply's status and text."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(bytes(raw))
        stream = connection.makefile("rb")
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, stream.read(length).decode()
