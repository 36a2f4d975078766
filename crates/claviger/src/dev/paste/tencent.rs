//! Tencent Cloud's SDKs, command line and Terraform provider.

use crate::dev::Facts;

impl Facts {
    /// What to paste for them.
    pub(super) fn tencent(&self) -> String {
        [
            self.tencent_python(),
            self.tencent_node(),
            self.tccli(),
            self.tencent_terraform(),
        ]
        .join("\n")
    }

    fn protocol(&self) -> &'static str {
        if self.tls() { "https" } else { "http" }
    }

    fn tencent_python(&self) -> String {
        format!(
            "# Tencent Cloud, Python: pip install tencentcloud-sdk-python-redis\n\
             from tencentcloud.common.credential import Credential\n\
             from tencentcloud.common.profile.client_profile import ClientProfile\n\
             from tencentcloud.common.profile.http_profile import HttpProfile\n\
             from tencentcloud.redis.v20180412.redis_client import RedisClient\n\
             client = RedisClient(Credential('{key}',\n\
             \x20   '{secret}'), 'ap-guangzhou',\n\
             \x20   ClientProfile(httpProfile=HttpProfile(protocol='{protocol}', \
             endpoint='{address}')))\n\
             client.call_json('CreateInstanceAccount', {{'InstanceId': '{id}', 'AccountName': \
             'app',\n\
             \x20   'AccountPassword': 'Change.Me.12345', 'ReadonlyPolicy': ['master'], \
             'Privilege': 'rw'}})\n\
             print(client.call_json('DescribeInstanceAccount', {{'InstanceId': '{id}', 'Limit': \
             20, 'Offset': 0}}))\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            protocol = self.protocol(),
            address = self.address(),
            id = self.instance,
        )
    }

    fn tencent_node(&self) -> String {
        format!(
            "# Tencent Cloud, Node: npm install tencentcloud-sdk-nodejs\n\
             const {{ Client }} = require('tencentcloud-sdk-nodejs').redis.v20180412;\n\
             const client = new Client({{ region: 'ap-guangzhou',\n\
             \x20 credential: {{ secretId: '{key}', secretKey: '{secret}' }},\n\
             \x20 profile: {{ httpProfile: {{ protocol: '{protocol}://', endpoint: '{address}' \
             }} }} }});\n\
             client.DescribeInstanceAccount({{ InstanceId: '{id}', Limit: 20, Offset: 0 }})\n\
             \x20 .then(console.log);\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            protocol = self.protocol(),
            address = self.address(),
            id = self.instance,
        )
    }

    fn tccli(&self) -> String {
        format!(
            "# Tencent Cloud, tccli\n\
             export TENCENTCLOUD_SECRET_ID={key} TENCENTCLOUD_SECRET_KEY={secret} \
             TENCENTCLOUD_REGION=ap-guangzhou\n\
             tccli redis DescribeInstanceAccount --endpoint {endpoint} --InstanceId {id} --Limit \
             20 --Offset 0\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            endpoint = self.endpoint,
            id = self.instance,
        )
    }

    /// The provider puts `redis.` before its domain, so an address without a name cannot be
    /// given; a proxy can.
    fn tencent_terraform(&self) -> String {
        format!(
            "# Tencent Cloud, Terraform: it calls redis.<domain>, a name that must lead here \
             (/etc/hosts, or over plain HTTP: export HTTP_PROXY={endpoint})\n\
             provider \"tencentcloud\" {{\n\
             \x20 region     = \"ap-guangzhou\"\n\
             \x20 secret_id  = \"{key}\"\n\
             \x20 secret_key = \"{secret}\"\n\
             \x20 protocol   = \"{protocol}\"\n\
             \x20 domain     = \"claviger.test:{port}\"\n\
             }}\n",
            endpoint = self.endpoint,
            key = self.access_key,
            secret = self.secret_key.expose(),
            protocol = self.protocol().to_uppercase(),
            port = self.address().rsplit(':').next().unwrap_or_default(),
        )
    }
}
