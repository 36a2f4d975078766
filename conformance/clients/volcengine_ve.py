"""The `ve` command line, one process per call; the binary is named by VE_CLI.

Its keys go by the environment. Business parameters, passwords too, go into one argument by its
own design: the harness leaves its processes out of the process list check.
"""

import json
import os
import re
import subprocess

from protocol import serve


class VeError(Exception):
    """A refusal as the command line prints it."""

    def __init__(self, code, status, message):
        super().__init__(message)
        self.code, self.status_code, self.message = code, status, message


def connect(request):
    return request


def call(client, action, params):
    command = [os.environ["VE_CLI"], "redis", action, "--endpoint", client["endpoint"],
               "--body", json.dumps(params)]
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env.update(
        VOLCENGINE_ACCESS_KEY=client["access_key"], VOLCENGINE_SECRET_KEY=client["secret_key"],
        VOLCENGINE_REGION="cn-beijing",
        VOLCENGINE_DISABLE_SSL=str(client["protocol"] == "http").lower(),
    )
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 0:
        return json.loads(done.stdout)["Result"]
    text = done.stdout + done.stderr
    code = re.match(r"\s*(?:Error: )?(\w+): ", text)
    status = re.search(r"status code: (\d+)", text)
    raise VeError(
        code.group(1) if code else None, int(status.group(1)) if status else None, text.strip()
    )


serve(connect, call)
