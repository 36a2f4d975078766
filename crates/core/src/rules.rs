//! One vendor's limits as data: what is checked, in which order, with which formats.

use crate::privilege::Privilege;

/// A check that a decision makes. A vendor lists those it makes in its own order, since the
/// order decides which error a request with two faults gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The servers have accounts (6.0 or later), or only the default account is meant.
    Engine,
    /// The instance takes changes.
    Running,
    /// The name's form (creation only).
    Name,
    /// The new password's form, and the instance's own policy of passwords.
    Password,
    /// The privilege is one of the vendor's, or a role of the instance's own.
    Privilege,
    /// The routing policy is one of the vendor's, and replicas serve reads if it needs them.
    Routing,
    /// The description's form.
    Description,
    /// The account exists (all but creation).
    Exists,
    /// The name is free (creation only).
    Free,
    /// The default account is neither deleted, disabled, nor given other rights or an end;
    /// nor is one that replicas or Sentinels log in with deleted, disabled or given an end.
    DefaultProtected,
    /// Only the default account is without a password, and only where the instance's policy
    /// allows it; and a password is known when one is needed again.
    PasswordFree,
    /// The old password, where the caller must prove it.
    OldPassword,
    /// There is room for one more (creation only).
    Quota,
    /// The account is not being deleted.
    Idle,
}

impl Check {
    /// All of them: every vendor's order must be a permutation of this.
    pub const ALL: [Check; 14] = [
        Check::Engine,
        Check::Running,
        Check::Name,
        Check::Password,
        Check::Privilege,
        Check::Routing,
        Check::Description,
        Check::Exists,
        Check::Free,
        Check::DefaultProtected,
        Check::PasswordFree,
        Check::OldPassword,
        Check::Quota,
        Check::Idle,
    ];
}

/// A new password, and what it is for.
#[derive(Clone, Copy)]
pub struct NewPassword<'a> {
    /// The password.
    pub password: &'a str,
    /// The account's name on the nodes.
    pub account: &'a str,
    /// It is the default account's.
    pub of_default: bool,
}

/// So many failures in a row lock for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Failures in a row that are one too many.
    pub tries_max: u32,
    /// How long it is locked then, seconds.
    pub lock_s: u32,
}

/// One vendor's limits.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Checks, in the vendor's order.
    pub order: &'static [Check],
    /// The name's form, reserved words included. The second argument is the instance's id.
    pub name_ok: fn(&str, &str) -> bool,
    /// The password's form.
    pub password_ok: fn(&NewPassword<'_>) -> bool,
    /// A password that replaces one that was proven must differ from it.
    pub password_must_change: bool,
    /// The description's form; empty means none.
    pub description_ok: fn(&str) -> bool,
    /// Which built-in privileges may be given.
    pub privileges: &'static [Privilege],
    /// Roles of the instance's own may be given.
    pub custom_roles: bool,
    /// How many custom accounts an instance may have.
    pub quota: u32,
    /// Requests a second that one key may make of one action, if the vendor says so.
    pub per_action_max: Option<u32>,
    /// Wrong old passwords that lock an account's password, if the vendor says so.
    pub old_password_lockout: Option<Lockout>,
    /// Bad signatures that lock a key, if the vendor says so.
    pub signature_lockout: Option<Lockout>,
}
