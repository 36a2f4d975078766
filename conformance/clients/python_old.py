"""aliyun-python-sdk-r-kvstore: the RPC V1 generation (HMAC-SHA1, JSON asked for in the query)."""

import importlib
import json

from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.http import protocol_type
from protocol import serve


def connect(request):
    host, port = request["endpoint"].rsplit(":", 1)
    client = AcsClient(
        request["access_key"], request["secret_key"], "cn-hangzhou", port=int(port),
        verify=request["ca"] or None,
    )
    # The SDK compares by identity: only its own constant means https.
    protocol = protocol_type.HTTP if request["protocol"] == "http" else protocol_type.HTTPS
    client.conformance = (host, protocol)
    return client


def call(client, action, params):
    module = importlib.import_module(f"aliyunsdkr_kvstore.request.v20150101.{action}Request")
    request = getattr(module, f"{action}Request")()
    host, protocol = client.conformance
    request.set_endpoint(host)
    request.set_protocol_type(protocol)
    for name, value in params.items():
        if name == "RegionId":  # the client object adds its own to every request
            continue
        getattr(request, f"set_{name}")(value)
    return json.loads(client.do_action_with_exception(request))


serve(connect, call)
