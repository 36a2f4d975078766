"""A private certificate authority and a certificate of 127.0.0.1, made by openssl."""

import ssl
import subprocess
from pathlib import Path


class Tls:
    """The files; `ca` is what clients get, `cert` and `key` are the service's."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.ca, self.cert, self.key = (
            self.directory / name for name in ("ca.pem", "cert.pem", "key.pem")
        )
        self._make()

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"openssl {words[0]} failed: {done.stderr.strip()[-300:]}")

    def _make(self):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._openssl(
            "req", "-x509", *curve, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=claviger conformance CA",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )
        self._openssl("req", *curve, "-keyout", "key.pem", "-out", "request.pem",
                      "-subj", "/CN=127.0.0.1")
        (self.directory / "extensions").write_text(
            "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        self._openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey",
                      "ca-key.pem", "-CAcreateserial", "-out", "cert.pem", "-days", "2",
                      "-extfile", "extensions")

    def context(self):
        return ssl.create_default_context(cafile=str(self.ca))
