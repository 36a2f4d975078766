//! The settings file: TOML whose keys are the names of the flags. Unknown keys are refused.

use crate::failure::Failure;
use serde::Deserialize;
use std::path::Path;

/// The largest file that is read, bytes: settings are a page, not a book.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// A value as people write it: a port is a number, a duration a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(i64),
    Truth(bool),
}

/// What the file says; everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FileSettings {
    data_dir: Option<Value>,
    listen: Option<Value>,
    store: Option<Value>,
    tls_cert: Option<Value>,
    tls_key: Option<Value>,
    tls_client_ca: Option<Value>,
    insecure_http: Option<Value>,
    master_key_file: Option<Value>,
    project_id: Option<Value>,
    sweep_interval: Option<Value>,
    rate_limit: Option<Value>,
    action_rate_limit: Option<Value>,
    max_connections: Option<Value>,
    source_rate_limit: Option<Value>,
    bad_signature_limit: Option<Value>,
    max_source_connections: Option<Value>,
    audit_file: Option<Value>,
    audit_syslog: Option<Value>,
    log_format: Option<Value>,
    log_level: Option<Value>,
}

impl FileSettings {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, or holds an unknown key; in one line.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("cannot read the settings file {shown}: {why}"))
        };
        let length = std::fs::metadata(path).map_err(|e| cannot(&e))?.len();
        if length > FILE_LEN_MAX {
            return Err(cannot(&format_args!("larger than {FILE_LEN_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| cannot(&e))?;
        Self::parse(&text).map_err(|why| Failure::usage(format!("{shown}: {why}")))
    }

    /// Reads the text, with errors in one line.
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or_default();
                before.matches('\n').count() + 1
            });
            let why = error.message().replace('\n', " ");
            match line {
                Some(line) => format!("line {line}: {why}"),
                None => why,
            }
        })
    }

    /// The text of a setting by its key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let value = match key {
            "data-dir" => &self.data_dir,
            "listen" => &self.listen,
            "store" => &self.store,
            "tls-cert" => &self.tls_cert,
            "tls-key" => &self.tls_key,
            "tls-client-ca" => &self.tls_client_ca,
            "insecure-http" => &self.insecure_http,
            "master-key-file" => &self.master_key_file,
            "project-id" => &self.project_id,
            "sweep-interval" => &self.sweep_interval,
            "rate-limit" => &self.rate_limit,
            "action-rate-limit" => &self.action_rate_limit,
            "max-connections" => &self.max_connections,
            "source-rate-limit" => &self.source_rate_limit,
            "bad-signature-limit" => &self.bad_signature_limit,
            "max-source-connections" => &self.max_source_connections,
            "audit-file" => &self.audit_file,
            "audit-syslog" => &self.audit_syslog,
            "log-format" => &self.log_format,
            "log-level" => &self.log_level,
            _ => &None,
        };
        value.as_ref().map(|value| match value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
        })
    }
}
