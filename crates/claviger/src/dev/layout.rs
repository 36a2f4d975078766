//! Where the servers of `claviger dev` live: directories and ports, the same ones at every start
//! in the same data directory, since the instance is registered with them.

use crate::failure::Failure;
use crate::private_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Name of the file that remembers the ports.
const PORTS_FILE: &str = "ports.json";

/// Directories and ports of the servers; the first is the primary.
pub(super) struct Layout {
    directory: PathBuf,
    /// The instance is registered: what its servers hold is to be kept.
    pub(super) registered: bool,
    /// One for each server.
    pub(super) ports: Vec<u16>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    ports: Vec<u16>,
}

impl Layout {
    /// For at least `count` servers of an instance. One that is registered keeps its servers.
    ///
    /// # Errors
    /// The data directory cannot be used, or no port is free.
    pub(super) fn of(
        data_dir: &Path,
        instance: &str,
        count: usize,
        registered: bool,
    ) -> Result<Self, Failure> {
        // The servers are told to go to their directories, so the names must not depend on ours.
        let directory = std::path::absolute(data_dir.join("dev").join(instance))
            .map_err(|error| Failure::refused(format!("this directory cannot be told: {error}")))?;
        let file = directory.join(PORTS_FILE);
        let mut ports = match std::fs::read(&file) {
            Ok(content) if registered => serde_json::from_slice::<Remembered>(&content)
                .map(|remembered| remembered.ports)
                .map_err(|error| {
                    Failure::refused(format!("{} is damaged: {error}", file.display()))
                })?,
            _ => Vec::new(),
        };
        if registered && ports.is_empty() {
            return Err(Failure::refused(format!(
                "the instance {instance} in {} was not made by `claviger dev`: give another \
                 --instance or --data-dir",
                data_dir.display()
            )));
        }
        let missing = count.saturating_sub(ports.len());
        ports.extend(free_ports(missing)?);
        let layout = Self {
            directory,
            registered,
            ports,
        };
        layout.write(&file).map_err(|error| {
            Failure::refused(format!("cannot write {}: {error}", file.display()))
        })?;
        Ok(layout)
    }

    fn write(&self, file: &Path) -> std::io::Result<()> {
        for node in 0..self.ports.len() {
            private_file::make_directory(&self.directory(node))?;
        }
        let ports = self.ports.clone();
        let content = serde_json::to_vec(&Remembered { ports })?;
        private_file::replace(file, &content)
    }

    /// The directory of a server.
    pub(super) fn directory(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node-{}", node + 1))
    }

    /// The file of a server's users.
    pub(super) fn users(&self, node: usize) -> PathBuf {
        self.directory(node).join("users.acl")
    }

    /// What a server writes about itself.
    pub(super) fn log(&self, node: usize) -> PathBuf {
        self.directory(node).join("server.log")
    }
}

/// Ports of the loopback address that nobody listens on now. Another program may take one in the
/// moment before the server does; then the start fails and says so.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let none = |error: std::io::Error| Failure::refused(format!("no port is free: {error}"));
    let mut held = Vec::new();
    let mut ports = BTreeSet::new();
    while ports.len() < count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(none)?;
        ports.insert(listener.local_addr().map_err(none)?.port());
        // Held until all are found, so that none is found twice.
        held.push(listener);
    }
    Ok(ports.into_iter().collect())
}
