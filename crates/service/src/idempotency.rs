//! The fingerprint of a command: the same token with other parameters is refused by it.

use claviger_core::clock::Timestamp;
use claviger_core::command::{Asked, Command, Target};
use claviger_core::privilege::{Privilege, Routing};
use sha2::{Digest, Sha256};

/// How long a token is remembered, milliseconds: a day, as the contracts propose.
pub(crate) const REMEMBERED_MS: i64 = 24 * 3600 * 1000;

/// A digest of everything that the command says; passwords go in, and cannot come out.
pub(crate) fn fingerprint(command: &Command) -> [u8; 32] {
    let mut print = Print(Sha256::new());
    match command {
        Command::Create(c) => {
            print.text("create");
            print.text(c.instance.as_str());
            print.text(&c.name);
            print.text(c.password.expose());
            print.privilege(Some(c.privilege));
            print.routing(Some(c.routing));
            print.option(c.description.as_deref());
            print.time(c.expires_at);
        }
        Command::Modify(c) => {
            print.text("modify");
            print.text(c.instance.as_str());
            print.target(&c.target);
            print.privilege(c.privilege);
            print.routing(c.routing);
            print.option(c.description.as_deref());
            let password = c.password.as_ref();
            print.option(password.map(|p| p.new.expose()));
            print.option(
                password
                    .and_then(|p| p.old.as_ref())
                    .map(|old| old.expose()),
            );
            print.flag(c.password_free);
            print.flag(c.enabled);
            print.flag(c.expires_at.map(|end| end.is_some()));
            print.time(c.expires_at.flatten());
        }
        Command::Delete(c) => {
            print.text("delete");
            print.text(c.instance.as_str());
            print.target(&c.target);
        }
    }
    print.0.finalize().into()
}

struct Print(Sha256);

impl Print {
    /// Length first, so that no two sequences of texts look alike.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "some" } else { "none" });
        self.text(text.unwrap_or_default());
    }

    fn flag(&mut self, flag: Option<bool>) {
        self.option(flag.map(|flag| if flag { "true" } else { "false" }));
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.option(time.map(|time| time.as_millis().to_string()).as_deref());
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.option(Some(name)),
            Target::Id(id) => self.text(id),
            Target::Default => self.option(None),
        }
    }

    fn privilege(&mut self, asked: Option<Asked<Privilege>>) {
        self.option(match asked {
            Some(Asked::Known(ref privilege)) => Some(privilege.as_str()),
            Some(Asked::Unknown) => Some("?"),
            None => None,
        });
    }

    fn routing(&mut self, asked: Option<Asked<Routing>>) {
        self.option(match asked {
            Some(Asked::Known(Routing {
                primary: true,
                replica: true,
            })) => Some("both"),
            Some(Asked::Known(Routing { primary: true, .. })) => Some("primary"),
            Some(Asked::Known(Routing { replica: true, .. })) => Some("replica"),
            Some(Asked::Known(_)) => Some("neither"),
            Some(Asked::Unknown) => Some("?"),
            None => None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_core::command::{CreateAccount, DeleteAccount};
    use claviger_core::secret::Secret;

    fn create(name: &str, password: &str, description: Option<&str>) -> Command {
        Command::Create(CreateAccount {
            instance: "r-1".into(),
            name: name.into(),
            password: Secret::new(password),
            privilege: Asked::Known(Privilege::ReadOnly),
            routing: Asked::Known(Routing::PRIMARY),
            description: description.map(str::to_owned),
            expires_at: None,
        })
    }

    #[test]
    fn every_difference_shows() {
        let prints = [
            fingerprint(&create("a", "bc", None)),
            fingerprint(&create("ab", "c", None)),
            fingerprint(&create("a", "bd", None)),
            fingerprint(&create("a", "bc", Some(""))),
            fingerprint(&Command::Delete(DeleteAccount {
                instance: "r-1".into(),
                target: Target::Name("a".into()),
            })),
        ];
        for (i, one) in prints.iter().enumerate() {
            assert!(prints[i + 1..].iter().all(|other| other != one));
        }
        assert_eq!(prints[0], fingerprint(&create("a", "bc", None)));
    }
}
