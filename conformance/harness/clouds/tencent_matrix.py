"""Tencent Cloud for the matrix of clouds."""

from ..driver import Driver
from ..report import eventually

ROLES = {"read": "r", "write": "rw"}


class Adapter:
    """The Python SDK."""

    cloud = "tencent"

    def __init__(self, service, instance, log):
        from .tencent import all_clients
        from .tencent_walk import Patient

        self.client = all_clients()[0]
        self.client.prepare()
        self.instance = instance
        self.process = Driver(self.client, log)
        self.driver = Patient(self.process)
        self.driver.connect(service)

    def close(self):
        self.process.__exit__()

    def _call(self, action, **params):
        return self.driver.call(action, InstanceId=self.instance, **params)

    def _change(self, action, **params):
        """Done when its task is."""
        task = self._call(action, **params)["TaskId"]
        eventually(lambda: self.driver.call(
            "DescribeTaskInfo", TaskId=task)["Status"] == "succeed", every=0.1)

    def create(self, name, password, role):
        self._change("CreateInstanceAccount", AccountName=name, AccountPassword=password,
                     Privilege=ROLES[role], ReadonlyPolicy=["master"])

    def rows(self):
        words = {word: role for role, word in ROLES.items()}
        rows = self._call("DescribeInstanceAccount", Limit=100, Offset=0)["Accounts"]
        return {
            row["AccountName"]: {
                "role": words.get(row["Privilege"]),
                "ready": row["Status"] == 2,
                "text": row["Remark"] or "",
            }
            # It shows the server's default user as root.
            for row in rows if row["AccountName"] != "root" and row["Status"] != 4
        }

    def grant(self, name, role):
        self._change("ModifyInstanceAccount", AccountName=name, Privilege=ROLES[role])

    def password(self, name, new):
        self._change("ModifyInstanceAccount", AccountName=name, AccountPassword=new)

    def describe(self, name, text):
        self._change("ModifyInstanceAccount", AccountName=name, Remark=text)

    def delete(self, name):
        self._change("DeleteInstanceAccount", AccountName=name)
