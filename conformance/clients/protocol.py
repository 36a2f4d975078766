"""What every client program speaks with the harness: one JSON object per line.

    {"op": "connect", "endpoint": "127.0.0.1:8379", "protocol": "http", "access_key": "...",
     "secret_key": "...", "token": "..." or null, "ca": "/path/ca.pem" or null,
     "mode": "..."}     -> {"ok": true}
    {"op": "call", "action": "CreateAccount", "params": {"InstanceId": "..."}}
        -> {"ok": true, "body": {...}}
        or {"ok": false, "type": exception class, "code": "...", "status": 404 or null,
            "message": "..."}

Secrets travel on standard input only, so that they are in no process list.
"""

import json
import sys


def serve(connect, call):
    """Answers requests until standard input ends."""
    client = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "connect":
                client = connect(request)
                answer = {"ok": True}
            else:
                answer = {"ok": True, "body": call(client, request["action"], request["params"])}
        except Exception as error:  # noqa: BLE001: whatever the SDK raises is the answer
            answer = failure(error)
        print(json.dumps(answer, ensure_ascii=False), flush=True)


def failure(error):
    """An SDK's exception as the harness reads it; attribute names differ by generation."""
    data = getattr(error, "data", None)
    data = data if isinstance(data, dict) else {}
    code = getattr(error, "error_code", None) or getattr(error, "code", None)
    status = (
        getattr(error, "http_status", None)
        or getattr(error, "status_code", None)
        or getattr(error, "statusCode", None)
        or data.get("statusCode")
    )
    return {
        "ok": False,
        "type": type(error).__name__,
        "code": code,
        "status": status,
        "message": str(getattr(error, "message", None) or error),
    }
