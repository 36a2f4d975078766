"""Alibaba Cloud for the matrix of clouds."""

from ..clients import all_clients
from ..driver import Driver

ROLES = {"read": "RoleReadOnly", "write": "RoleReadWrite"}


class Adapter:
    """The new Python SDK."""

    cloud = "aliyun"

    def __init__(self, service, instance, log):
        self.client = next(c for c in all_clients() if c.name == "python-new")
        self.client.prepare()
        self.instance = instance
        self.driver = Driver(self.client, log)
        self.driver.connect(service)

    def close(self):
        self.driver.__exit__()

    def _call(self, action, **params):
        return self.driver.call(action, InstanceId=self.instance, **params)

    def create(self, name, password, role):
        self._call("CreateAccount", AccountName=name, AccountPassword=password,
                   AccountPrivilege=ROLES[role])

    def rows(self):
        rows = self._call("DescribeAccounts")["Accounts"]["Account"]
        words = {word: role for role, word in ROLES.items()}
        return {
            row["AccountName"]: {
                "role": words.get(
                    row["DatabasePrivileges"]["DatabasePrivilege"][0]["AccountPrivilege"]),
                "ready": row["AccountStatus"] == "Available",
                "text": row.get("AccountDescription", ""),
            }
            for row in rows if row["AccountName"] not in ("default", self.instance)
        }

    def grant(self, name, role):
        self._call("GrantAccountPrivilege", AccountName=name, AccountPrivilege=ROLES[role])

    def password(self, name, new):
        self._call("ResetAccountPassword", AccountName=name, AccountPassword=new)

    def describe(self, name, text):
        self._call("ModifyAccountDescription", AccountName=name, AccountDescription=text)

    def delete(self, name):
        self._call("DeleteAccount", AccountName=name)
