"""volcengine 1.0.x: the older package, whose services are described by hand.

Mode "GET" puts everything into the query, mode "FORM" into a form body; otherwise JSON.
"""

import json

from protocol import serve
from volcengine.ApiInfo import ApiInfo
from volcengine.base.Service import Service
from volcengine.Credentials import Credentials
from volcengine.ServiceInfo import ServiceInfo

VERSION = "2020-12-07"
ACTIONS = (
    "CreateDBAccount", "ModifyDBAccount", "DeleteDBAccount", "ListDBAccount",
    "DescribeDBInstances", "DescribeDBInstanceDetail", "DescribeTasks", "DescribeRegions",
    "ModifyDBInstanceVpcAuthMode",
)


def connect(request):
    credentials = Credentials(request["access_key"], request["secret_key"], "redis", "cn-beijing")
    info = ServiceInfo(request["endpoint"], {"Accept": "application/json"}, credentials, 10, 10,
                       request["protocol"])
    method = "GET" if request["mode"] == "GET" else "POST"
    query = {"Version": VERSION}
    apis = {a: ApiInfo(method, "/", {"Action": a, **query}, {}, {}) for a in ACTIONS}
    return Service(info, apis), request["mode"]


def call(client, action, params):
    service, mode = client
    try:
        if mode == "GET":
            text = service.get(action, params)
        elif mode == "FORM":
            text = service.post(action, {}, params)
        else:
            text = service.json(action, {}, json.dumps(params))
    except Exception as error:
        # A plain Exception with the body is all there is, without the status.
        body = error.args[0] if error.args else b""
        error.code = json.loads(body)["ResponseMetadata"]["Error"]["Code"]
        raise
    return json.loads(text)["Result"]


serve(connect, call)
