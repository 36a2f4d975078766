"""huaweicloudsdkdcs: by endpoint and project id, or (mode "region") by region and a look-up in
IAM; the other modes are signing algorithms."""

import huaweicloudsdkdcs.v2 as dcs
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.signer.algorithm import SigningAlgorithm
from protocol import serve

ALGORITHMS = {
    "sm3": SigningAlgorithm.HMAC_SM3,
    "ecdsa": SigningAlgorithm.ECDSA_P256_SHA256,
    "sm2": SigningAlgorithm.SM2_SM3,
}


def connect(request):
    url = f"{request['protocol']}://{request['endpoint']}"
    mode = request["mode"]
    config = HttpConfig(ssl_ca_cert=request["ca"])
    config.signing_algorithm = ALGORITHMS.get(mode, SigningAlgorithm.get_default())
    credentials = BasicCredentials(request["access_key"], request["secret_key"])
    if request["token"]:
        credentials.with_security_token(request["token"])
    builder = dcs.DcsClient.new_builder().with_http_config(config)
    if mode == "region":
        credentials.with_iam_endpoint(url)
        builder = builder.with_region(Region("cn-north-4", url))
    else:
        credentials.with_project_id(request["project_id"])
        builder = builder.with_endpoint(url)
    return builder.with_credentials(credentials).build()


def method_of(action):
    """CreateAclAccount is create_acl_account."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in action)[1:]


def call(client, action, params):
    kind = getattr(dcs, f"{action}Request")
    request = kind()
    rest = dict(params)
    for name in kind.openapi_types:
        if name in rest:
            setattr(request, name, rest.pop(name))
    body = kind.openapi_types.get("body")
    if body:
        request.body = getattr(dcs, body)(**rest)
    response = getattr(client, method_of(action))(request)
    return {"status": response.status_code, "body": response.to_json_object()}


serve(connect, call)
