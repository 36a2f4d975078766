"""Volcengine for the matrix of clouds."""

from ...driver import Driver
from .clients import all_clients

ROLES = {"read": "ReadOnly", "write": "ReadWrite"}


class Adapter:
    """The Python SDK."""

    cloud = "volcengine"

    def __init__(self, service, instance, log):
        self.client = next(c for c in all_clients() if c.name == "volcengine-python")
        self.client.prepare()
        self.instance = instance
        self.driver = Driver(self.client, log)
        self.driver.connect(service)

    def close(self):
        self.driver.__exit__()

    def _call(self, action, **params):
        return self.driver.call(action, InstanceId=self.instance, **params)

    def create(self, name, password, role):
        self._call("CreateDBAccount", AccountName=name, Password=password, RoleName=ROLES[role])

    def rows(self):
        words = {word: role for role, word in ROLES.items()}
        return {
            row["AccountName"]: {
                "role": words.get(row["RoleName"]),
                "ready": row["AccountStatus"] == "Available",
                "text": row["Description"] or "",
            }
            for row in self._call("ListDBAccount")["Accounts"] if row["AccountName"] != "default"
        }

    def grant(self, name, role):
        self._call("ModifyDBAccount", AccountName=name, RoleName=ROLES[role])

    def password(self, name, new):
        self._call("ModifyDBAccount", AccountName=name, Password=new)

    def describe(self, name, text):
        self._call("ModifyDBAccount", AccountName=name, Description=text)

    def delete(self, name):
        self._call("DeleteDBAccount", AccountName=name)
