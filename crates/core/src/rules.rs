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
    /// The new password's form.
    Password,
    /// The privilege is one of the vendor's.
    Privilege,
    /// The routing policy is one of the vendor's.
    Routing,
    /// The description's form.
    Description,
    /// The account exists (all but creation).
    Exists,
    /// The name is free (creation only).
    Free,
    /// The default account is neither deleted nor given other rights.
    DefaultProtected,
    /// The old password, where the caller must prove it.
    OldPassword,
    /// There is room for one more (creation only).
    Quota,
    /// The account is not being deleted.
    Idle,
}

impl Check {
    /// All of them: every vendor's order must be a permutation of this.
    pub const ALL: [Check; 13] = [
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
        Check::OldPassword,
        Check::Quota,
        Check::Idle,
    ];
}

/// One vendor's limits.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Checks, in the vendor's order.
    pub order: &'static [Check],
    /// The name's form, reserved words included. The second argument is the instance's id.
    pub name_ok: fn(&str, &str) -> bool,
    /// The password's form.
    pub password_ok: fn(&str) -> bool,
    /// The description's form; empty means none.
    pub description_ok: fn(&str) -> bool,
    /// Which privileges may be given.
    pub privileges: &'static [Privilege],
    /// How many custom accounts an instance may have.
    pub quota: u32,
}
