//! The rules of the house that neither the compiler nor clippy knows: which room may use which,
//! which words stand where, how long files are, and that the documents keep step.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most lines of a source file; tests are excepted.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// All files below a directory, by name.
fn files(directory: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "node_modules" && name != "target" {
            files(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}

struct Source {
    /// From the root, such as `crates/core/src/lib.rs`.
    name: String,
    text: String,
}

impl Source {
    /// Lines of code with their numbers: without comments, and without the tests at the end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }
}

/// The Rust sources of the rooms (`src` folders).
fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    files(&root.join("crates"), &mut paths);
    let sources: Vec<_> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| Source {
            name: path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .filter(|source| source.name.contains("/src/"))
        .collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Fails with all findings, one a line.
fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_below() {
    const HOUSE: [(&str, &[&str]); 9] = [
        ("core", &[]),
        ("dialects", &["core"]),
        ("store", &["core"]),
        ("fleet", &["core"]),
        ("service", &["core", "dialects"]),
        ("server", &["core", "dialects", "service"]),
        (
            "claviger",
            &["core", "dialects", "fleet", "server", "service", "store"],
        ),
        // Beside the house: nothing of it depends on them but tests.
        ("testkit", &["core"]),
        ("bench", &["core", "dialects", "service", "testkit"]),
    ];
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = |name: &str| name.strip_prefix("claviger-").unwrap_or(name).to_owned();
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let room = short(package["name"].as_str().unwrap());
        let allowed = HOUSE
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, below)| *below);
        let Some(allowed) = allowed else {
            findings.push(format!(
                "{room} is a new room: draw it into ARCHITECTURE.md first"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            if !name.starts_with("claviger") {
                continue;
            }
            let (name, kind) = (short(name), dependency["kind"].as_str());
            let for_tests = name == "testkit" && kind == Some("dev");
            if !allowed.contains(&name.as_str()) && !for_tests {
                findings.push(format!("{room} uses {name} ({})", kind.unwrap_or("normal")));
            }
        }
        seen.insert(room);
    }
    for (room, _) in HOUSE {
        if !seen.contains(room) && room != "bench" {
            findings.push(format!("{room} is gone"));
        }
    }
    none(&findings, "imports point down only");
}

#[test]
fn files_are_small() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let tests = source.name.ends_with("/tests.rs");
        (lines >= LINES_MAX && !tests).then(|| format!("{} has {lines} lines", source.name))
    });
    none(&long.collect::<Vec<_>>(), "files stay below 500 lines");
}

/// Words that belong to one room, as far as code goes; comments may speak of anything.
#[test]
fn words_stand_in_their_rooms() {
    struct Rule {
        words: &'static [&'static str],
        /// Beginnings of the names of files in which they may stand.
        homes: &'static [&'static str],
    }
    const BESIDE: [&str; 2] = ["crates/testkit/", "crates/bench/"];
    const RULES: [Rule; 5] = [
        // What is permitted is decided in one place.
        Rule {
            words: &["Judge for "],
            homes: &["crates/service/src/judge/"],
        },
        // Only there, so that everything that depends on it can be tested without it.
        Rule {
            words: &["env::var"],
            homes: &["crates/claviger/src/env.rs"],
        },
        // Commands to nodes about their users.
        Rule {
            words: &[
                "SETUSER", "DELUSER", "GETUSER", "\"ACL\"", "ACL SAVE", "ACL LOAD",
            ],
            homes: &[
                "crates/fleet/src/",
                "crates/core/src/acl",
                // Printed for a person; sends nothing.
                "crates/claviger/src/commands/login_rules.rs",
            ],
        },
        Rule {
            words: &[
                "SELECT ",
                "INSERT INTO",
                "DELETE FROM",
                "UPDATE ",
                "CREATE TABLE",
                "PRAGMA ",
                "rusqlite",
            ],
            homes: &["crates/store/src/"],
        },
        Rule {
            words: &["aliyun", "alibaba", "tencent", "volcengine", "huawei"],
            homes: &["crates/dialects/src/", "crates/claviger/src/"],
        },
    ];
    let mut findings = Vec::new();
    for source in sources() {
        for rule in &RULES {
            let at_home = rule
                .homes
                .iter()
                .chain(&BESIDE)
                .any(|home| source.name.starts_with(home));
            if at_home {
                continue;
            }
            for (number, line) in source.code() {
                for word in rule.words {
                    let lower = word.chars().all(|c| c.is_ascii_lowercase());
                    let line = if lower {
                        line.to_lowercase()
                    } else {
                        line.to_owned()
                    };
                    if line.contains(word) {
                        findings.push(format!("{}:{number} says {word:?}", source.name));
                    }
                }
            }
        }
    }
    none(&findings, "each room keeps to its own words");
}

#[test]
fn clouds_do_not_know_each_other() {
    const CLOUDS: [&str; 4] = ["aliyun", "tencent", "volcengine", "huawei"];
    let mut findings = Vec::new();
    for source in sources() {
        let home = CLOUDS.iter().find(|cloud| {
            let folder = format!("crates/dialects/src/{cloud}/");
            source.name.starts_with(&folder)
        });
        let Some(home) = home else {
            continue;
        };
        for (number, line) in source.code() {
            for other in CLOUDS.iter().filter(|cloud| *cloud != home) {
                if line.to_lowercase().contains(other) {
                    findings.push(format!("{}:{number} names {other}", source.name));
                }
            }
        }
    }
    none(&findings, "a cloud's folder names no other cloud");
}

/// Nothing unfinished, nothing of the machine on which it was written.
#[test]
fn no_loose_ends() {
    let root = root();
    let mut paths = Vec::new();
    for part in ["crates", "docs", "scripts"] {
        if root.join(part).is_dir() {
            files(&root.join(part), &mut paths);
        }
    }
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        // In a linked worktree .git is a file, with a path in it.
        if path.is_file() && path.file_name() != Some(".git".as_ref()) {
            paths.push(path);
        }
    }
    // Spelled in two parts, so that this file does not find itself.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
    ];
    let words = words.map(|parts| parts.concat());
    let mut findings = Vec::new();
    for path in paths {
        // Others than text are of no concern.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(*word)) {
                findings.push(format!("{}:{} says {word}", path.display(), index + 1));
            }
        }
    }
    none(&findings, "no loose ends");
}

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(words)
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The names under `Commands:` in a help text.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty());
    names
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn documents_name_every_command_and_setting() {
    let mut documents = String::new();
    let mut paths = vec![root().join("README.md")];
    files(&root().join("docs"), &mut paths);
    for path in paths
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
    {
        documents.push_str(&std::fs::read_to_string(path).unwrap_or_default());
    }
    let mut findings = Vec::new();
    let top = commands(&help(&[]));
    assert!(top.len() >= 12, "{top:?}");
    let mut variables = BTreeMap::new();
    for command in &top {
        let text = help(&[command]);
        let below = commands(&text);
        let mut texts = vec![(command.clone(), text)];
        for sub in &below {
            texts.push((format!("{command} {sub}"), help(&[command, sub])));
        }
        for (name, text) in texts {
            if !documents.contains(&format!("claviger {name}")) {
                findings.push(format!("claviger {name}"));
            }
            for part in text.split("[env: ").skip(1) {
                let variable = part.split([']', ' ']).next().unwrap().to_owned();
                variables.insert(variable, name.clone());
            }
        }
    }
    for (variable, command) in variables {
        if !documents.contains(&variable) {
            findings.push(format!("{variable} of claviger {command}"));
        }
    }
    none(
        &findings,
        "the documents name every command and every variable",
    );
}
