"""volcengine-python-sdk 5.x, and byteplus-python-sdk-v2 by mode "byteplus": the same code twice."""

import importlib
import json
import re

from protocol import serve


class Sdk:
    """One brand's modules and a client of its Redis API."""

    def __init__(self, request):
        brand = request["mode"] or "volcengine"
        core = importlib.import_module(f"{brand}sdkcore")
        self.models = importlib.import_module(f"{brand}sdkredis")
        self.refusal = importlib.import_module(f"{brand}sdkcore.rest").ApiException
        config = core.Configuration()
        config.ak, config.sk = request["access_key"], request["secret_key"]
        if request["token"]:
            config.session_token = request["token"]
        config.region, config.host = "cn-beijing", request["endpoint"]
        config.scheme = request["protocol"]
        if request["ca"]:
            config.ssl_ca_cert = request["ca"]
        self.client = core.ApiClient(config)
        self.api = self.models.REDISApi(self.client)


def words(name):
    """`InstanceId` as the models call it: `instance_id`; `ListDBAccount` as `list_db_account`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def plain(value):
    """A typed answer as JSON, under the names of the wire."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    names = getattr(value, "attribute_map", None)
    if names is None:
        return value
    members = {wire: plain(getattr(value, name)) for name, wire in names.items()}
    return {name: item for name, item in members.items() if item is not None}


def call(sdk, action, params):
    request = getattr(sdk.models, f"{action}Request")
    request = request(**{words(name): value for name, value in params.items()})
    try:
        answer = getattr(sdk.api, words(action))(request)
    except sdk.refusal as error:
        # The body is all that it keeps of an answer.
        error.status_code = error.status
        error.code = json.loads(error.body)["ResponseMetadata"]["Error"]["Code"]
        raise
    return plain(answer)


serve(Sdk, call)
