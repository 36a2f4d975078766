//! What to paste for Huawei Cloud.

use super::Facts;

impl Facts {
    pub(super) fn huawei(&self) -> String {
        [
            self.huawei_command(),
            self.huawei_python(),
            self.huawei_terraform(),
        ]
        .join("\n")
    }

    fn huawei_command(&self) -> String {
        format!(
            "# Huawei Cloud, one call by claviger itself\n\
             claviger call huawei ListAclAccounts instance_id={id}\n",
            id = self.instance,
        )
    }

    fn huawei_python(&self) -> String {
        let tls = if self.tls() {
            "\n\x20   .with_http_config(HttpConfig(ssl_ca_cert='CA.pem'))"
        } else {
            ""
        };
        let import = if self.tls() {
            "from huaweicloudsdkcore.http.http_config import HttpConfig\n"
        } else {
            ""
        };
        format!(
            "# Huawei Cloud, Python: pip install huaweicloudsdkdcs\n\
             from huaweicloudsdkcore.auth.credentials import BasicCredentials\n\
             {import}\
             import huaweicloudsdkdcs.v2 as dcs\n\
             client = (dcs.DcsClient.new_builder()\n\
             \x20   .with_credentials(BasicCredentials('{key}', '{secret}',\n\
             \x20       '{project}')){tls}\n\
             \x20   .with_endpoint('{endpoint}').build())\n\
             client.create_acl_account(dcs.CreateAclAccountRequest('{id}',\n\
             \x20   dcs.CreateAclAccountRequestBody(account_name='app', account_role='write',\n\
             \x20       account_password='Change.Me.12345')))\n\
             print(client.list_acl_accounts(dcs.ListAclAccountsRequest('{id}')))\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            project = self.project,
            endpoint = self.endpoint,
            id = self.instance,
        )
    }

    /// With `project_id` and `domain_id`, the provider asks IAM for nothing.
    fn huawei_terraform(&self) -> String {
        format!(
            "# Huawei Cloud, Terraform\n\
             provider \"huaweicloud\" {{\n\
             \x20 region                  = \"cn-north-4\"\n\
             \x20 access_key              = \"{key}\"\n\
             \x20 secret_key              = \"{secret}\"\n\
             \x20 project_id              = \"{project}\"\n\
             \x20 domain_id               = \"{project}\"\n\
             \x20 auth_url                = \"{endpoint}/v3\"\n\
             \x20 skip_check_website_type = true\n\
             \x20 endpoints = {{\n\
             \x20   dcs = \"{endpoint}\"\n\
             \x20   iam = \"{endpoint}\"\n\
             \x20 }}\n\
             }}\n\
             resource \"huaweicloud_dcs_account\" \"app\" {{\n\
             \x20 instance_id      = \"{id}\"\n\
             \x20 account_name     = \"app\"\n\
             \x20 account_role     = \"write\"\n\
             \x20 account_password = \"Change.Me.12345\"\n\
             }}\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            project = self.project,
            endpoint = self.endpoint,
            id = self.instance,
        )
    }
}
