//! Where a client command's key pair and endpoint come from.

use crate::env::Env;
use crate::failure::Failure;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where `serve` listens when nothing else is said.
pub(crate) const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:8379";

/// A key pair and where to use it.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The service's URL.
    pub(crate) endpoint: String,
    /// The public half.
    pub(crate) key: KeyId,
    /// The secret half.
    pub(crate) secret: Secret,
    /// The token, if these are temporary credentials.
    pub(crate) token: Option<Secret>,
}

/// What `claviger dev` writes for this user.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DevFile {
    /// The service's URL.
    pub(crate) endpoint: String,
    /// The public half.
    pub(crate) access_key: String,
    /// The secret half.
    pub(crate) secret_key: String,
}

/// The file that `claviger dev` writes, in this user's configuration directory.
///
/// # Errors
/// The environment is not readable text.
pub(crate) fn dev_file_path(env: &dyn Env) -> Result<Option<PathBuf>, Failure> {
    let directory = match env.get("XDG_CONFIG_HOME")? {
        Some(directory) => Some(PathBuf::from(directory)),
        None => env
            .get("HOME")?
            .map(|home| Path::new(&home).join(".config")),
    };
    Ok(directory.map(|directory| directory.join("claviger").join("dev.json")))
}

impl Credentials {
    /// From the environment, else from what `claviger dev` wrote, unless another endpoint than
    /// that one is meant.
    ///
    /// # Errors
    /// One half without the other, or none anywhere.
    pub(crate) fn find(endpoint: Option<&str>, env: &dyn Env) -> Result<Self, Failure> {
        let endpoint = match endpoint {
            Some(endpoint) => Some(endpoint.to_owned()),
            None => env.get("CLAVIGER_ENDPOINT")?,
        };
        let session = env.get("CLAVIGER_SESSION_TOKEN")?.map(Secret::new);
        for (access, secret, token) in [
            ("CLAVIGER_ACCESS_KEY", "CLAVIGER_SECRET_KEY", session),
            ("CLAVIGER_ROOT_ACCESS_KEY", "CLAVIGER_ROOT_SECRET_KEY", None),
        ] {
            if let Some((key, secret)) = pair(env, access, secret)? {
                return Ok(Self {
                    endpoint: endpoint.unwrap_or_else(|| ENDPOINT_DEFAULT.to_owned()),
                    key,
                    secret,
                    token,
                });
            }
        }
        let dev = dev_file_path(env)?.and_then(|path| read_dev_file(&path));
        match dev {
            Some(dev) if endpoint.as_ref().is_none_or(|e| same(e, &dev.endpoint)) => Ok(Self {
                key: KeyId::from(dev.access_key.as_str()),
                secret: Secret::new(dev.secret_key),
                token: None,
                endpoint: dev.endpoint,
            }),
            _ => Err(Failure::refused(
                "no key pair: set CLAVIGER_ACCESS_KEY and CLAVIGER_SECRET_KEY, or start `claviger \
                 dev`",
            )),
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// A file that is absent or damaged is as good as none: `claviger dev` writes it anew.
fn read_dev_file(path: &Path) -> Option<DevFile> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn pair(env: &dyn Env, access: &str, secret: &str) -> Result<Option<(KeyId, Secret)>, Failure> {
    match (env.get(access)?, env.get(secret)?) {
        (Some(key), Some(secret)) => Ok(Some((KeyId::from(key.as_str()), Secret::new(secret)))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Failure::usage(format!("{access} is set without {secret}"))),
        (None, Some(_)) => Err(Failure::usage(format!("{secret} is set without {access}"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn precedence() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let mut env = BTreeMap::from([("XDG_CONFIG_HOME", home)]);
        assert!(Credentials::find(None, &env).is_err());
        std::fs::create_dir(directory.path().join("claviger")).unwrap();
        std::fs::write(
            dev_file_path(&env).unwrap().unwrap(),
            r#"{"endpoint":"http://127.0.0.1:9","access_key":"dev","secret_key":"s"}"#,
        )
        .unwrap();
        let found = Credentials::find(None, &env).unwrap();
        assert_eq!(
            (found.key.as_str(), found.endpoint.as_str()),
            ("dev", "http://127.0.0.1:9")
        );
        assert!(Credentials::find(Some("http://127.0.0.1:9/"), &env).is_ok());
        assert!(Credentials::find(Some("https://elsewhere"), &env).is_err());
        env.insert("CLAVIGER_ROOT_ACCESS_KEY", "root");
        assert!(Credentials::find(None, &env).is_err(), "half a pair");
        env.insert("CLAVIGER_ROOT_SECRET_KEY", "r");
        let found = Credentials::find(None, &env).unwrap();
        assert_eq!(
            (found.key.as_str(), found.endpoint.as_str()),
            ("root", ENDPOINT_DEFAULT)
        );
        env.insert("CLAVIGER_ACCESS_KEY", "own");
        env.insert("CLAVIGER_SECRET_KEY", "o");
        env.insert("CLAVIGER_ENDPOINT", "http://h:1");
        let found = Credentials::find(None, &env).unwrap();
        assert_eq!(
            (found.key.as_str(), found.endpoint.as_str()),
            ("own", "http://h:1")
        );
        let found = Credentials::find(Some("http://flag:2"), &env).unwrap();
        assert_eq!(found.endpoint, "http://flag:2");
    }
}
