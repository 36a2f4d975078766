"""tencentcloud-sdk-python-redis; mode is the signature method and the HTTP method."""

import json

from protocol import serve
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.redis.v20180412 import models
from tencentcloud.redis.v20180412.redis_client import RedisClient


def connect(request):
    sign, method = request["mode"].split()
    http = HttpProfile(
        protocol=request["protocol"], endpoint=request["endpoint"], reqMethod=method,
        certification=request["ca"],
    )
    credential = Credential(request["access_key"], request["secret_key"], request["token"])
    profile = ClientProfile(signMethod=sign, httpProfile=http)
    return RedisClient(credential, "ap-guangzhou", profile)


def call(client, action, params):
    model = getattr(models, f"{action}Request")()
    model.from_json_string(json.dumps(params))
    return json.loads(getattr(client, action)(model).to_json_string())


serve(connect, call)
