//! What to paste for Volcengine and BytePlus.

use super::Facts;

/// The region in which instances are registered without another word.
const REGION: &str = "cn-hangzhou";

impl Facts {
    /// All of it, a section each.
    pub(super) fn volcengine(&self) -> String {
        let sections = [
            self.volcengine_python(),
            self.volcengine_node(),
            self.volcengine_cli(),
            self.volcengine_terraform(),
        ];
        sections.join("\n")
    }

    fn scheme(&self) -> &'static str {
        if self.tls() { "https" } else { "http" }
    }

    fn volcengine_python(&self) -> String {
        format!(
            "# Volcengine, Python: pip install volcengine-python-sdk (BytePlus: \
             byteplus-python-sdk-v2,\n\
             # with byteplussdkcore and byteplussdkredis)\n\
             import volcenginesdkcore, volcenginesdkredis as redis\n\
             config = volcenginesdkcore.Configuration()\n\
             config.host, config.scheme, config.region = '{address}', '{scheme}', '{REGION}'\n\
             config.ak = '{key}'\n\
             config.sk = '{secret}'\n\
             api = redis.REDISApi(volcenginesdkcore.ApiClient(config))\n\
             api.create_db_account(redis.CreateDBAccountRequest(instance_id='{id}', \
             account_name='app2',\n\
             \x20   password='Change.Me.12345', role_name='ReadWrite'))\n\
             print(api.list_db_account(redis.ListDBAccountRequest(instance_id='{id}')))\n",
            address = self.address(),
            scheme = self.scheme(),
            key = self.access_key,
            secret = self.secret_key.expose(),
            id = self.instance,
        )
    }

    fn volcengine_node(&self) -> String {
        format!(
            "# Volcengine, Node: npm install @volcengine/openapi\n\
             const {{ Service }} = require('@volcengine/openapi')\n\
             const service = new Service({{ host: '{address}', protocol: '{scheme}:', \
             serviceName: 'redis',\n\
             \x20   region: '{REGION}', defaultVersion: '2020-12-07',\n\
             \x20   accessKeyId: '{key}',\n\
             \x20   secretKey: '{secret}' }})\n\
             const list = service.createAPI('ListDBAccount', {{ method: 'POST', contentType: \
             'json' }})\n\
             list({{ InstanceId: '{id}' }}).then(answer => console.log(JSON.stringify(answer)))\n",
            address = self.address(),
            scheme = self.scheme(),
            key = self.access_key,
            secret = self.secret_key.expose(),
            id = self.instance,
        )
    }

    fn volcengine_cli(&self) -> String {
        format!(
            "# Volcengine, ve CLI\n\
             export VOLCENGINE_ACCESS_KEY={key} VOLCENGINE_SECRET_KEY={secret} \
             VOLCENGINE_REGION={REGION} VOLCENGINE_DISABLE_SSL={plain}\n\
             ve redis ListDBAccount --InstanceId {id} --endpoint {address}\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            plain = !self.tls(),
            id = self.instance,
            address = self.address(),
        )
    }

    fn volcengine_terraform(&self) -> String {
        format!(
            "# Volcengine, Terraform\n\
             provider \"volcengine\" {{\n\
             \x20 region                   = \"{REGION}\"\n\
             \x20 access_key               = \"{key}\"\n\
             \x20 secret_key               = \"{secret}\"\n\
             \x20 endpoint                 = \"{address}\"\n\
             \x20 disable_ssl              = {plain}\n\
             \x20 enable_standard_endpoint = false\n\
             }}\n",
            key = self.access_key,
            secret = self.secret_key.expose(),
            address = self.address(),
            plain = !self.tls(),
        )
    }
}
