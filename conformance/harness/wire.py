"""The wire itself: the documented samples, replays of a client's own bytes, broken requests."""

import http.client
import re
import xml.etree.ElementTree as xml

from .driver import Driver
from .report import eventually
from .signer import Signer
from .tap import Tap, replay

NAME = "wire"
UUID = re.compile("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def run(report, service, instance, fleet, client, log, vault):
    """All of it, over one instance that is empty of custom accounts and is left so."""
    signer = Signer(service)
    samples(report, signer, instance, vault)
    formats(report, signer, instance)
    refused_requests(report, signer, instance)
    errors_with_secrets(report, signer, instance, vault)
    broken_requests(report, service, instance)
    quota(report, signer, instance, fleet, vault)
    if client:
        replays(report, service, instance, client, log)


def tree(element):
    """Names and nesting of an XML element, values dropped; an empty element is ()."""
    return (element.tag, tuple(sorted(tree(child) for child in element)))


def samples(report, signer, instance, vault):
    """The requests of the documentation's two account pages, and the answers' members."""
    password = "Sample-uWonno21"
    vault.add(password)
    created = signer.v1(
        "CreateAccount",
        {"AccountName": "demoaccount", "AccountPassword": password, "InstanceId": instance},
        changed={"Format": None},
    )
    report.equal(NAME, "CreateAccount without Format is answered in XML",
                 (created.status, created.headers.get("content-type")),
                 (200, "text/xml;charset=utf-8"))
    root = xml.fromstring(created.raw)
    report.equal(NAME, "CreateAccountResponse has the documented members",
                 (root.tag, root.findtext("InstanceId"), root.findtext("AcountName")),
                 ("CreateAccountResponse", instance, "demoaccount"))
    report.check(NAME, "RequestId is an upper-case UUID",
                 UUID.fullmatch(root.findtext("RequestId") or ""), created.text)
    report.equal(NAME, "the header x-acs-request-id tells the same id",
                 created.headers.get("x-acs-request-id"), root.findtext("RequestId"))
    eventually(lambda: "<AccountStatus>Available" in signer.v1(
        "DescribeAccounts", {"InstanceId": instance, "AccountName": "demoaccount"},
        changed={"Format": "XML"}).text)
    listed = signer.v1("DescribeAccounts", {"InstanceId": instance}, changed={"Format": "XML"})
    describe_xml(report, xml.fromstring(listed.raw), instance)
    describe_json(report, signer.v1("DescribeAccounts", {"InstanceId": instance}), instance)
    deleted = signer.acs3("DeleteAccount", {"InstanceId": instance, "AccountName": "demoaccount"})
    report.equal(NAME, "a success has no Code and no Success",
                 sorted(deleted.json()), ["RequestId"])


def describe_xml(report, root, instance):
    rows = root.findall("./Accounts/Account")
    names = [row.findtext("AccountName") for row in rows]
    report.check(NAME, "the XML list has the instance's own account and the new one",
                 root.tag == "DescribeAccountsResponse" and {instance, "demoaccount"} <= set(names),
                 str(names))
    row = next(row for row in rows if row.findtext("AccountName") == "demoaccount")
    members = {child.tag for child in row}
    documented = {"AccountStatus", "InstanceId", "AccountType", "DatabasePrivileges", "AccountName"}
    report.check(NAME, "an XML Account has the documented members", documented <= members
                 and members <= documented | {"AccountDescription", "Parameters"}, str(members))
    privileges = row.find("DatabasePrivileges")
    report.equal(NAME, "an XML Account has one privilege in two wrappers", tree(privileges),
                 ("DatabasePrivileges", (("DatabasePrivilege", (("AccountPrivilege", ()),)),)))
    report.equal(NAME, "the privilege is the default one",
                 privileges.findtext("./DatabasePrivilege/AccountPrivilege"), "RoleReadWrite")


def describe_json(report, reply, instance):
    report.equal(NAME, "JSON is answered as such", reply.headers.get("content-type"),
                 "application/json;charset=utf-8")
    row = next(
        row for row in reply.json()["Accounts"]["Account"] if row["AccountName"] == "demoaccount"
    )
    row.pop("AccountDescription", None)
    row.pop("Parameters", None)
    report.equal(NAME, "a JSON Account is as documented", row, {
        "AccountStatus": "Available", "InstanceId": instance, "AccountType": "Normal",
        "DatabasePrivileges": {"DatabasePrivilege": [{"AccountPrivilege": "RoleReadWrite"}]},
        "AccountName": "demoaccount",
    })


def formats(report, signer, instance):
    params = {"InstanceId": instance}
    for what, reply in (
        ("GET with a query", signer.v1("DescribeAccounts", params)),
        ("POST with a query", signer.v1("DescribeAccounts", params, "POST")),
        ("POST with a form", signer.v1("DescribeAccounts", params, "POST", form=True)),
        ("ACS3", signer.acs3("DescribeAccounts", params)),
    ):
        report.equal(NAME, f"{what} is accepted", reply.status, 200)
    nobody = signer.acs3("DescribeAccounts", {**params, "AccountName": "nobody"})
    report.equal(NAME, "no match is an empty list in its wrapper", nobody.json()["Accounts"],
                 {"Account": []})
    error = signer.v1("NoSuchAction", params, changed={"Format": "XML"})
    root = xml.fromstring(error.raw)
    report.equal(NAME, "an error in XML", (error.status, root.tag, root.findtext("Code")),
                 (404, "Error", "InvalidAction.NotFound"))
    body = signer.v1("NoSuchAction", params).json()
    report.check(NAME, "an error has RequestId, HostId, Code, Message, Recommend, all text",
                 {"RequestId", "HostId", "Code", "Message", "Recommend"} <= set(body)
                 and all(isinstance(value, str) for value in body.values()), str(body))


def refused_requests(report, signer, instance):
    """Well-signed or nearly well-signed, and still not to be obeyed."""
    params = {"InstanceId": instance}
    cases = [
        ("an old timestamp", {"skew": -16 * 60}, "InvalidTimeStamp.Expired", 400),
        ("a future timestamp", {"skew": 16 * 60}, "InvalidTimeStamp.Expired", 400),
        ("a malformed timestamp", {"changed": {"Timestamp": "yesterday"}},
         "InvalidTimeStamp.Format", 400),
        ("another version", {"changed": {"Version": "1999-01-01"}}, "InvalidVersion", 400),
        ("no nonce", {"changed": {"SignatureNonce": None}}, "MissingSignatureNonce", 400),
        ("no timestamp", {"changed": {"Timestamp": None}}, "MissingTimestamp", 400),
        ("an unknown key", {"changed": {"AccessKeyId": "LTAINobody"}},
         "InvalidAccessKeyId.NotFound", 404),
    ]
    for what, more, code, status in cases:
        reply = signer.v1("DescribeAccounts", params, **more)
        report.equal(NAME, f"{what} is refused", (reply.status, reply.code), (status, code))
    missing = signer.v1("DescribeAccounts", {})
    report.equal(NAME, "a missing InstanceId is refused", (missing.status, missing.code),
                 (400, "MissingInstanceId"))
    stale = signer.acs3("DescribeAccounts", params, skew=-16 * 60)
    report.equal(NAME, "an old ACS3 date is refused", (stale.status, stale.code),
                 (400, "InvalidTimeStamp.Expired"))
    parameter = signer.acs3("ModifyAccountParameter",
                            {**params, "AccountName": "default", "Parameters": "{}"})
    report.equal(NAME, "ModifyAccountParameter is refused", (parameter.status, parameter.code),
                 (400, "InvalidEngineVersion.Format"))


def errors_with_secrets(report, signer, instance, vault):
    """Refusals of requests that carry a password; the leak check reads their bodies."""
    password, weak, other = "Carried-pass-1", "carriedbutweak", "Another-key-secret-1"
    vault.update((password, weak, other))
    params = {"InstanceId": instance, "AccountName": "conf_carried", "AccountPassword": password}
    for what, reply in (
        ("V1", signer.v1("CreateAccount", params, key=other)),
        ("V1 form", signer.v1("CreateAccount", params, "POST", form=True, key=other)),
        ("ACS3", signer.acs3("CreateAccount", params, key=other)),
    ):
        report.equal(NAME, f"a wrong signature over a password by {what} is refused",
                     (reply.status, reply.code), (400, "SignatureDoesNotMatch"))
        report.check(NAME, f"its message has the colon that old SDKs split at ({what})",
                     ":" in reply.json()["Message"], reply.text[:200])
    for changes in ({"AccountPassword": weak}, {"AccountName": "Bad"}, {"InstanceId": "r-none"},
                    {"AccountName": "default"}):
        signer.v1("CreateAccount", {**params, **changes})
    refused = signer.v1("ModifyAccountPassword", {
        "InstanceId": instance, "AccountName": "conf_carried", "OldAccountPassword": password,
        "NewAccountPassword": other})
    report.equal(NAME, "ModifyAccountPassword of an unknown account is refused",
                 (refused.status, refused.code), (404, "InvalidAccountName.NotFound"))


def broken_requests(report, service, instance):
    """Nothing here is signed; each gets a 4xx at once and the service goes on."""
    long = "x" * 100_000
    for what, method, target, body, headers in (
        ("a plain GET of nowhere", "GET", "/nowhere", None, {}),
        ("a DELETE", "DELETE", "/?Action=DescribeAccounts&Version=2015-01-01", None, {}),
        ("an unsigned call", "GET", f"/?Action=DescribeAccounts&Version=2015-01-01&InstanceId="
         f"{instance}", None, {}),
        ("a broken escape", "GET", "/?Action=DescribeAccounts&Version=2015-01-01&A=%zz", None, {}),
        ("text that is not UTF-8", "GET", "/?Version=2015-01-01&Action=%ff%fe", None, {}),
        ("a long query", "GET", f"/?Version=2015-01-01&A={long}", None, {}),
        ("an oversized body", "POST", "/?Version=2015-01-01&Action=CreateAccount", long * 100,
         {"Content-Type": "application/x-www-form-urlencoded"}),
        ("a broken Authorization", "POST", "/", None,
         {"x-acs-action": "DescribeAccounts", "x-acs-version": "2015-01-01",
          "Authorization": "ACS3-HMAC-SHA256 nonsense"}),
    ):
        connection = http.client.HTTPConnection(service.address, timeout=10)
        try:
            connection.request(method, target, body, headers)
            status = connection.getresponse().status
        except (ConnectionError, BrokenPipeError, http.client.HTTPException):
            # The bound was passed while the client was still sending.
            status = "closed"
        finally:
            connection.close()
        good = status == "closed" if status == "closed" else 400 <= status < 500
        report.check(NAME, f"{what} gets a 4xx", good, f"got {status}")
    report.equal(NAME, "the service still answers", service.get("/healthz")[0], 200)


def quota(report, signer, instance, fleet, vault):
    """Eighteen accounts fit, the nineteenth does not, and none is left behind."""
    password = "Quota-pass-18"
    vault.add(password)
    names = [f"quota_{number}" for number in range(1, 20)]

    def create(name):
        return signer.acs3("CreateAccount", {
            "InstanceId": instance, "AccountName": name, "AccountPassword": password})

    statuses = [create(name).status for name in names[:18]]
    report.equal(NAME, "eighteen accounts can be created", statuses, [200] * 18)
    nineteenth = create(names[18])
    report.equal(NAME, "the nineteenth account is refused",
                 (nineteenth.status, nineteenth.code), (403, "QuotaExceeded.AccountName"))
    for node in fleet.nodes:
        report.check(NAME, f"the eighteen are on the {node.role}, the nineteenth is not",
                     eventually(lambda at=node: set(names[:18]) <= at.users())
                     and names[18] not in node.users())
    for name in names[:18]:
        signer.acs3("DeleteAccount", {"InstanceId": instance, "AccountName": name})
    for node in fleet.nodes:
        report.check(NAME, f"all eighteen are deleted from the {node.role}",
                     eventually(lambda at=node: not set(names) & at.users()))


def replays(report, service, instance, client, log):
    """The official client's own bytes sent twice, and sent with one letter changed."""
    with Tap(service.port) as tap, Driver(client, log) as driver:
        driver.connect(service, endpoint=tap.address)
        driver.call("DescribeAccounts", InstanceId=instance)
        raw = bytes(tap.requests[-1])
        status, text = replay(service.port, raw)
        report.check(NAME, f"{client.name}'s own request sent again: SignatureNonceUsed 400",
                     status == 400 and "SignatureNonceUsed" in text, f"{status} {text[:200]}")
        forged = raw.replace(instance.encode(), instance[::-1].encode(), 1)
        status, text = replay(service.port, forged)
        report.check(NAME, f"{client.name}'s request with another instance: SignatureDoesNotMatch",
                     status == 400 and "SignatureDoesNotMatch" in text, f"{status} {text[:200]}")
