//! The master key: 32 bytes that seal every secret in the store.

use crate::config::{Config, MasterKey};
use crate::failure::Failure;
use crate::private_file;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use claviger_core::ports::Entropy;
use claviger_core::secret::Secret;
use claviger_store::{Place, Sealer};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The key's length, bytes.
pub(crate) const KEY_LEN: usize = 32;
/// A file larger than this holds no key, bytes.
const FILE_LEN_MAX: u64 = 4096;

/// A key.
pub(crate) type Key = Zeroizing<[u8; KEY_LEN]>;
/// Former keys that are kept at most.
const FORMER_MAX: usize = 16;

/// A master key, and what is worth saying about it.
pub(crate) struct Loaded {
    /// The key.
    pub(crate) key: Key,
    /// Those before it, as long as they are kept: what is still sealed under them opens.
    pub(crate) former: Vec<Key>,
    /// What the operator should know, in plain words.
    pub(crate) warning: Option<String>,
}

/// Reads the master key; makes it if there is neither key nor store yet.
///
/// # Errors
/// One line: no key beside a store that needs it, or a key that is none.
pub(crate) fn load(config: &Config, entropy: &dyn Entropy) -> Result<Loaded, Failure> {
    match &config.master_key {
        MasterKey::Given(text) => loaded(text, "CLAVIGER_MASTER_KEY", None),
        MasterKey::File(path) if path.exists() => read(path),
        MasterKey::File(path) if is_there(&config.store) => Err(Failure::refused(format!(
            "the master key file {} is missing, and the store {} cannot be read without it: put \
             the key back",
            path.display(),
            config.store
        ))),
        MasterKey::File(path) => make(path, entropy),
    }
}

/// The store has a file already. Of a database this is known once it is asked.
pub(crate) fn is_there(store: &Place) -> bool {
    matches!(store, Place::Sqlite(path) if path.exists())
}

/// Reads a key file.
///
/// # Errors
/// It cannot be read or holds no key.
pub(crate) fn read(path: &Path) -> Result<Loaded, Failure> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::refused(format!("cannot read the master key file {shown}: {why}"))
    };
    let size = std::fs::metadata(path).map_err(|e| cannot(&e))?.len();
    if size > FILE_LEN_MAX {
        return Err(cannot(&"it is too large to be a key"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| cannot(&e))?;
    let open = private_file::open_to_others(path).map_err(|e| cannot(&e))?;
    let warning = (open != 0)
        .then(|| format!("the master key file {shown} is open to other users: chmod 600 {shown}"));
    let source = format!("the master key file {shown}");
    loaded(&Secret::new(text), &source, warning)
}

/// Reads the keys of a text: the current one first, then those before it, apart by white space
/// or commas. Lines that begin with `#` are notes.
fn loaded(text: &Secret, source: &str, warning: Option<String>) -> Result<Loaded, Failure> {
    let lines = text
        .expose()
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let apart = |c: char| c.is_whitespace() || c == ',';
    let texts = lines
        .flat_map(|line| line.split(apart))
        .filter(|text| !text.is_empty());
    let keys: Result<Vec<_>, _> = texts
        .take(FORMER_MAX + 2)
        .map(|text| decode(&Secret::new(text), source))
        .collect();
    let mut keys = keys?.into_iter();
    let key = keys.next().ok_or_else(|| wrong(source))?;
    let former: Vec<_> = keys.collect();
    if former.len() > FORMER_MAX {
        let told = format!("{source} holds more than {FORMER_MAX} former keys: take old ones out");
        return Err(Failure::refused(told));
    }
    Ok(Loaded {
        key,
        former,
        warning,
    })
}

/// What seals and opens under these keys.
pub(crate) fn sealer(loaded: &Loaded, entropy: Arc<dyn Entropy>) -> Sealer {
    let sealer = Sealer::new(&loaded.key, entropy);
    loaded.former.iter().fold(sealer, Sealer::with_former)
}

/// Makes another key and puts it before the others in the file, all or nothing.
///
/// # Errors
/// The file cannot be read or written, or it holds too many keys; then it is as it was.
pub(crate) fn add(path: &Path, entropy: &dyn Entropy) -> Result<Key, Failure> {
    let shown = path.display();
    let before = read(path)?;
    if before.former.len() >= FORMER_MAX {
        let told = format!(
            "the master key file {shown} holds {FORMER_MAX} former keys: take out those that no \
             backup needs"
        );
        return Err(Failure::refused(told));
    }
    let mut key = Zeroizing::new([0; KEY_LEN]);
    entropy.fill(&mut *key);
    let all = std::iter::once(&key)
        .chain([&before.key])
        .chain(&before.former);
    let lines = all.map(|key| Zeroizing::new(STANDARD.encode(**key)));
    let mut text = Zeroizing::new(String::with_capacity((FORMER_MAX + 2) * 64));
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    private_file::replace(path, text.as_bytes()).map_err(|error| {
        Failure::refused(format!("cannot write the master key file {shown}: {error}"))
    })?;
    Ok(key)
}

fn make(path: &Path, entropy: &dyn Entropy) -> Result<Loaded, Failure> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    entropy.fill(&mut *key);
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
    let made = match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => private_file::make_directory(parent),
        None => Ok(()),
    };
    made.and_then(|()| private_file::create(path, text.as_bytes()))
        .map_err(|error| {
            let shown = path.display();
            Failure::refused(format!("cannot write the master key file {shown}: {error}"))
        })?;
    Ok(Loaded {
        key,
        former: Vec::new(),
        warning: None,
    })
}

fn wrong(source: &str) -> Failure {
    Failure::refused(format!("{source} does not hold the base64 of 32 bytes"))
}

/// Reads a key's text; `source` names it in the error.
///
/// # Errors
/// It is not the base64 of 32 bytes.
pub(crate) fn decode(text: &Secret, source: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, Failure> {
    let decoded = STANDARD.decode(text.expose().trim());
    let bytes = Zeroizing::new(decoded.map_err(|_| wrong(source))?);
    let mut key = Zeroizing::new([0; KEY_LEN]);
    if bytes.len() != key.len() {
        return Err(wrong(source));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::cli::ServeArgs;
    use crate::entropy::SystemEntropy;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    fn config(directory: &Path, env: &BTreeMap<&str, &str>) -> Config {
        let args = ServeArgs {
            data_dir: Some(directory.join("data")),
            ..ServeArgs::default()
        };
        Config::load(&args, env).unwrap()
    }

    #[test]
    fn made_once_private_and_never_beside_a_store() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &BTreeMap::new());
        let first = load(&config, &SystemEntropy).unwrap();
        let path = directory.path().join("data/master.key");
        assert_eq!(private_file::open_to_others(&path).unwrap(), 0);
        let second = load(&config, &SystemEntropy).unwrap();
        assert_eq!(*first.key, *second.key);
        assert!(second.warning.is_none());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&config, &SystemEntropy).unwrap().warning.is_some());
        std::fs::write(directory.path().join("data/claviger.db"), "x").unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = load(&config, &SystemEntropy).err().unwrap();
        assert!(error.to_string().contains("is missing"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn forms() {
        let directory = tempfile::tempdir().unwrap();
        let good = STANDARD.encode([7; 32]);
        for (text, fine) in [
            (good.as_str(), true),
            ("c2hvcnQ=", false),
            ("not base64!", false),
        ] {
            let env = BTreeMap::from([("CLAVIGER_MASTER_KEY", text)]);
            let loaded = load(&config(directory.path(), &env), &SystemEntropy);
            assert_eq!(loaded.is_ok(), fine);
            if let Err(error) = loaded {
                assert!(!error.to_string().contains(text));
            }
        }
    }

    #[test]
    fn another_key_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &BTreeMap::new());
        let first = load(&config, &SystemEntropy).unwrap();
        let path = directory.path().join("data/master.key");
        let second = add(&path, &SystemEntropy).unwrap();
        let third = add(&path, &SystemEntropy).unwrap();
        let now = load(&config, &SystemEntropy).unwrap();
        assert!(now.key == third && now.former == [second, first.key]);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        for _ in 2..FORMER_MAX {
            add(&path, &SystemEntropy).unwrap();
        }
        let full = std::fs::read(&path).unwrap();
        assert!(add(&path, &SystemEntropy).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), full);
        assert!(load(&config, &SystemEntropy).is_ok());
    }

    #[test]
    fn several_keys_by_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let both = format!("{one},{two}");
        let env = BTreeMap::from([("CLAVIGER_MASTER_KEY", both.as_str())]);
        let loaded = load(&config(directory.path(), &env), &SystemEntropy).unwrap();
        assert!(*loaded.key == [1; 32] && *loaded.former[0] == [2; 32]);
    }
}
