"""alibabacloud_r_kvstore20150101, 7.x and 3.x: ACS3 by default, RPC V1 by mode "v2"."""

import re

from alibabacloud_r_kvstore20150101 import models
from alibabacloud_r_kvstore20150101.client import Client
from protocol import serve

try:
    from alibabacloud_tea_openapi.utils_models import Config
except ImportError:
    from alibabacloud_tea_openapi.models import Config


def connect(request):
    config = Config(
        region_id="cn-hangzhou",
        endpoint=request["endpoint"],
        protocol=request["protocol"],
        access_key_id=request["access_key"],
        access_key_secret=request["secret_key"],
        security_token=request["token"],
    )
    if request["ca"]:
        config.ca = request["ca"]
    if request["mode"] == "v2":
        config.signature_algorithm = "v2"
    return Client(config)


def call(client, action, params):
    model = getattr(models, f"{action}Request")().from_map(params)
    method = re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower()
    return getattr(client, method)(model).body.to_map()


serve(connect, call)
