//! What `claviger dev` prints: everything to paste.

use super::Facts;
use serde::Serialize;

mod huawei;
mod tencent;
mod volcengine;

/// The facts for programs.
#[derive(Serialize)]
struct Printed<'a> {
    endpoint: &'a str,
    access_key: &'a str,
    secret_key: &'a str,
    instance: &'a str,
    /// `host:port`, the primary first.
    nodes: Vec<String>,
    server: &'a str,
    /// For the clouds that have projects.
    project_id: &'a str,
    /// Of the servers' default user.
    node_password: &'a str,
    data_dir: String,
}

impl Facts {
    /// For programs.
    pub(super) fn json(&self) -> String {
        let nodes = self.ports.iter().map(|port| format!("127.0.0.1:{port}"));
        let printed = Printed {
            endpoint: &self.endpoint,
            access_key: &self.access_key,
            secret_key: self.secret_key.expose(),
            instance: &self.instance,
            nodes: nodes.collect(),
            server: &self.server,
            project_id: &self.project,
            node_password: self.password.expose(),
            data_dir: self.data_dir.display().to_string(),
        };
        serde_json::to_string_pretty(&printed).unwrap_or_default()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let sections = [
            self.head(),
            self.own_commands(),
            self.python(),
            self.aliyun_cli(),
            self.terraform(),
            self.tencent(),
            self.volcengine(),
            self.huawei(),
            self.redis_cli(),
            "Ctrl-C stops claviger and its servers.".to_owned(),
        ];
        sections.join("\n")
    }

    fn address(&self) -> &str {
        let address = self.endpoint.split_once("://");
        address.map_or(self.endpoint.as_str(), |(_, address)| address)
    }

    fn tls(&self) -> bool {
        self.endpoint.starts_with("https:")
    }

    fn head(&self) -> String {
        let ports: Vec<_> = self.ports.iter().map(u16::to_string).collect();
        let what = match self.ports.len() {
            1 => format!("one server ({}) on port {}", self.server, ports[0]),
            _ => format!(
                "a primary and its replica ({}) on ports {}",
                self.server,
                ports.join(", ")
            ),
        };
        let data = self.data_dir.display();
        let lasting = if self.temporary {
            format!("Everything lives in {data} and goes away with it; --data-dir keeps it.")
        } else {
            format!("Everything is kept in {data}.")
        };
        format!(
            "claviger serves on {endpoint}\n\
             Instance {instance}: {what}. {lasting}\n\
             \n\
             \x20 export CLAVIGER_ENDPOINT={endpoint}\n\
             \x20 export CLAVIGER_ACCESS_KEY={key}\n\
             \x20 export CLAVIGER_SECRET_KEY={secret}\n",
            endpoint = self.endpoint,
            instance = self.instance,
            key = self.access_key,
            secret = self.secret_key.expose(),
        )
    }

    fn own_commands(&self) -> String {
        format!(
            "# claviger's own commands (they find the key by themselves while this runs)\n\
             claviger account create {id} app --generate-password --wait\n\
             claviger status {id}\n\
             claviger call aliyun DescribeAccounts InstanceId={id}\n\
             claviger call tencent DescribeInstanceAccount InstanceId={id}\n\
             claviger call volcengine ListDBAccount InstanceId={id}\n",
            id = self.instance
        )
    }

    fn python(&self) -> String {
        format!(
            "# Alibaba Cloud, Python: pip install alibabacloud_r_kvstore20150101\n\
             from alibabacloud_r_kvstore20150101.client import Client\n\
             from alibabacloud_r_kvstore20150101 import models\n\
             from alibabacloud_tea_openapi.utils_models import Config\n\
             client = Client(Config(endpoint='{address}', protocol='{protocol}', \
             region_id='cn-hangzhou',\n\
             \x20   access_key_id='{key}',\n\
             \x20   access_key_secret='{secret}'))\n\
             client.create_account(models.CreateAccountRequest(instance_id='{id}',\n\
             \x20   account_name='app', account_password='Change.Me.12345', \
             account_privilege='RoleReadWrite'))\n\
             print(client.describe_accounts(models.DescribeAccountsRequest(instance_id='{id}')).body)\n",
            address = self.address(),
            protocol = if self.tls() { "https" } else { "http" },
            key = self.access_key,
            secret = self.secret_key.expose(),
            id = self.instance,
        )
    }

    fn aliyun_cli(&self) -> String {
        format!(
            "# Alibaba Cloud, aliyun CLI\n\
             export ALIBABA_CLOUD_ACCESS_KEY_ID={key} ALIBABA_CLOUD_ACCESS_KEY_SECRET={secret} \
             ALIBABA_CLOUD_REGION_ID=cn-hangzhou\n\
             aliyun r-kvstore DescribeAccounts --InstanceId {id} --endpoint {address} {security}\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            id = self.instance,
            address = self.address(),
            security = if self.tls() { "--secure" } else { "--insecure" },
        )
    }

    fn terraform(&self) -> String {
        format!(
            "# Alibaba Cloud, Terraform\n\
             provider \"alicloud\" {{\n\
             \x20 region                 = \"cn-hangzhou\"\n\
             \x20 access_key             = \"{key}\"\n\
             \x20 secret_key             = \"{secret}\"\n\
             \x20 protocol               = \"{protocol}\"\n\
             \x20 skip_region_validation = true\n\
             \x20 endpoints {{\n\
             \x20   r_kvstore = \"{address}\"\n\
             \x20 }}\n\
             }}\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            protocol = if self.tls() { "HTTPS" } else { "HTTP" },
            address = self.address(),
        )
    }

    fn redis_cli(&self) -> String {
        let mut text = format!(
            "# redis-cli: as an account (it asks for the password), then as the server's default user\n\
             redis-cli -p {port} --user app --askpass\n\
             REDISCLI_AUTH={password} redis-cli -p {port}\n",
            port = self.ports[0],
            password = self.password.expose(),
        );
        for replica in &self.ports[1..] {
            text.push_str(&format!(
                "redis-cli -p {replica} --user app --askpass   # the replica\n"
            ));
        }
        text
    }
}
