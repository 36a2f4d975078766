"""tccli, one process per call. Keys go by the environment, parameters by a file that it reads."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from protocol import serve


class CliError(Exception):
    """A refusal as the command line prints it."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def connect(request):
    return request


def call(client, action, params):
    with tempfile.TemporaryDirectory() as home:
        given = Path(home, "parameters.json")
        given.write_text(json.dumps(params))
        command = [
            str(Path(sys.executable).parent / "tccli"), "redis", action,
            "--endpoint", f"{client['protocol']}://{client['endpoint']}",
            "--cli-input-json", f"file://{given}",
        ]
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env.update(
            HOME=home,
            TENCENTCLOUD_SECRET_ID=client["access_key"],
            TENCENTCLOUD_SECRET_KEY=client["secret_key"],
            TENCENTCLOUD_REGION="ap-guangzhou",
        )
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    if done.returncode == 0:
        return json.loads(done.stdout)
    text = done.stdout + done.stderr
    code = re.search(r"code:\s*(\S+)", text)
    raise CliError(code.group(1) if code else None, text.strip())


serve(connect, call)
