"""The Go `aliyun` command line, one process per call; the binary is named by ALIYUN_CLI.

Its keys go by the environment. Business parameters, passwords too, are its arguments by its own
design: the harness leaves its processes out of the process list check.
"""

import json
import os
import re
import subprocess

from protocol import serve


class CliError(Exception):
    """A refusal as the command line prints it."""

    def __init__(self, code, status, message):
        super().__init__(message)
        self.code, self.status_code, self.message = code, status, message


def connect(request):
    return request


def call(client, action, params):
    command = [os.environ["ALIYUN_CLI"], "r-kvstore", action]
    command += ["--endpoint", client["endpoint"], "--region", "cn-hangzhou"]
    command += ["--insecure"] if client["protocol"] == "http" else ["--secure"]
    for name, value in params.items():
        command += [f"--{name}", str(value)]
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env.update(
        ALIBABA_CLOUD_ACCESS_KEY_ID=client["access_key"],
        ALIBABA_CLOUD_ACCESS_KEY_SECRET=client["secret_key"],
        ALIBABA_CLOUD_REGION_ID="cn-hangzhou",
        ALIBABA_CLOUD_IGNORE_PROFILE="TRUE",
    )
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 0 and not done.stdout.startswith("ERROR"):
        return json.loads(done.stdout)
    text = done.stdout + done.stderr
    code = re.search(r"ErrorCode: (\S+)", text)
    status = re.search(r"StatusCode: (\d+)", text) or re.search(r"HTTP Status: (\d+)", text)
    raise CliError(
        code.group(1) if code else None, int(status.group(1)) if status else None, text.strip()
    )


serve(connect, call)
