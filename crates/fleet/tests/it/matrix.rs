//! What every privilege may do with every telling command, on every server version that this
//! machine has, against the table in `docs/engines.md`. With `CLAVIGER_BLESS` set, and all the
//! wanted servers there, the table is written anew.

use crate::common::{World, text};
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::instance::{AdministratorReach, RolePolicy, RoleProfile};
use claviger_core::privilege::Privilege;
use claviger_testkit::{EngineBinary, Server, ServerOptions, Session, found_engines};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Commands with arguments that any version takes, by what they are about.
const COMMANDS: &str = "
    GET k|SET k v|DEL k|UNLINK k|EXISTS k|EXPIRE k 9|TTL k|TYPE k|APPEND k v|GETRANGE k 0 1
    GETSET k v|GETDEL k|INCR k|MGET k|MSET k v|SETBIT k 0 1|BITCOUNT k|RENAME k k2|COPY k k2
    DUMP k|RESTORE k 0 v|OBJECT ENCODING k|TOUCH k|RANDOMKEY|SCAN 0|KEYS *|DBSIZE
    HSET h f v|HGET h f|HGETALL h|HINCRBY h f 1|LPUSH l v|LPOP l|LRANGE l 0 1|LTRIM l 0 1
    BLPOP l 1|SADD s v|SPOP s|SMEMBERS s|SINTERSTORE k s|ZADD z 1 v|ZRANGE z 0 1|ZUNIONSTORE k 1 z
    XADD x * f v|XREAD STREAMS x 0|XRANGE x - +|XREADGROUP GROUP g c STREAMS x >|XTRIM x MAXLEN 1
    PFADD p v|PFCOUNT p|GEOADD g 1 1 m|GEOSEARCH g FROMMEMBER m BYRADIUS 1 m
    SORT l|SORT_RO l|EVAL s 0|EVALSHA s 0|EVAL_RO s 0|SCRIPT LOAD s|SCRIPT EXISTS s|SCRIPT FLUSH
    SCRIPT KILL|FCALL f 0|FCALL_RO f 0|FUNCTION LOAD s|FUNCTION LIST|FUNCTION FLUSH
    PUBLISH c m|SUBSCRIBE c|PSUBSCRIBE c|SPUBLISH c m|SSUBSCRIBE c|PUBSUB CHANNELS
    MULTI|WATCH k|PING|ECHO m|SELECT 0|HELLO 2|WAIT 0 0|READONLY|ASKING|RESET|TIME|ROLE|INFO
    COMMAND|LASTSAVE|MEMORY USAGE k|MEMORY PURGE|MEMORY STATS|LOLWUT
    CLIENT SETNAME n|CLIENT GETNAME|CLIENT ID|CLIENT LIST|CLIENT KILL h:1|CLIENT PAUSE 1
    CLIENT TRACKING OFF|CLIENT INFO|CLIENT NO-EVICT ON
    CLUSTER SLOTS|CLUSTER NODES|CLUSTER INFO|CLUSTER KEYSLOT k|CLUSTER SHARDS
    CLUSTER COUNTKEYSINSLOT 1|CLUSTER RESET|CLUSTER FAILOVER
    FLUSHDB|FLUSHALL|SWAPDB 0 1|MOVE k 1|MIGRATE h 1 k 0 1|SAVE|BGSAVE|BGREWRITEAOF|SHUTDOWN
    CONFIG GET m|CONFIG SET m 1|CONFIG RESETSTAT|CONFIG REWRITE|MONITOR|SLOWLOG GET|LATENCY LATEST
    DEBUG SLEEP 0|MODULE LIST|ACL WHOAMI|ACL CAT|ACL LIST|ACL SETUSER u|ACL LOG
    REPLICAOF h 1|SLAVEOF h 1|PSYNC a 1|SYNC|REPLCONF a b|FAILOVER";

/// A column: a privilege in a profile.
struct Column {
    head: &'static str,
    privilege: Privilege,
    profile: RoleProfile,
    reach: AdministratorReach,
}

const fn column(head: &'static str, privilege: Privilege, profile: RoleProfile) -> Column {
    Column {
        head,
        privilege,
        profile,
        reach: AdministratorReach::Fenced,
    }
}

const COLUMNS: [Column; 11] = [
    column("read-only", Privilege::ReadOnly, RoleProfile::Faithful),
    column(
        "read-only, strict",
        Privilege::ReadOnly,
        RoleProfile::Strict,
    ),
    column("read-write", Privilege::ReadWrite, RoleProfile::Faithful),
    column(
        "read-write, strict",
        Privilege::ReadWrite,
        RoleProfile::Strict,
    ),
    column("write-only", Privilege::WriteOnly, RoleProfile::Faithful),
    column(
        "write-only, strict",
        Privilege::WriteOnly,
        RoleProfile::Strict,
    ),
    column("replication", Privilege::Replication, RoleProfile::Faithful),
    column(
        "replication, strict",
        Privilege::Replication,
        RoleProfile::Strict,
    ),
    column(
        "not dangerous",
        Privilege::NotDangerous,
        RoleProfile::Faithful,
    ),
    column(
        "administrator",
        Privilege::Administrator,
        RoleProfile::Faithful,
    ),
    Column {
        head: "administrator, full",
        privilege: Privilege::Administrator,
        profile: RoleProfile::Faithful,
        reach: AdministratorReach::Full,
    },
];

/// The wanted versions, without which the table is not written.
const WANTED: [&str; 9] = [
    "redis 6.0",
    "redis 6.2",
    "redis 7.0",
    "redict 7.3",
    "redis 8.0",
    "redis 8.6",
    "valkey 8.0",
    "valkey 8.1",
    "valkey 9.1",
];

const PASSWORD: &str = "matrix-Password1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    May,
    MayNot,
    /// The server has no such command.
    Absent,
}

impl Verdict {
    fn sign(self) -> &'static str {
        match self {
            Verdict::May => "yes",
            Verdict::MayNot => "–",
            Verdict::Absent => "absent",
        }
    }

    fn parse(sign: &str) -> Self {
        let all = [Verdict::May, Verdict::MayNot, Verdict::Absent];
        all.into_iter().find(|v| v.sign() == sign).unwrap()
    }
}

fn commands() -> Vec<&'static str> {
    let lines = COMMANDS.lines().flat_map(|line| line.split('|'));
    lines.map(str::trim).filter(|c| !c.is_empty()).collect()
}

/// `redis 7.0`: patches of one version must agree.
fn label(engine: Engine) -> String {
    let family = engine.to_string();
    let family = family.split(' ').next().unwrap().to_owned();
    format!("{family} {}", engine.short())
}

fn verdict(server: &Server, engine: Engine, user: &str, command: &str) -> Verdict {
    let words: Vec<&str> = command.split(' ').collect();
    if engine.acl_level() >= AclLevel::Selectors {
        let mut ask = vec!["ACL", "DRYRUN", user];
        ask.extend(&words);
        return match server.ask(&ask) {
            Ok(answer) if text(&answer) == "OK" || matches!(answer, redis::Value::Okay) => {
                Verdict::May
            }
            Ok(_) => Verdict::MayNot,
            Err(error) => lacking(&error, command),
        };
    }
    // No DRYRUN there: a queued command is checked, and not run.
    let mut session = Session::login(&server.address(), user, PASSWORD).unwrap();
    session.ask(&["MULTI"]).unwrap();
    match session.ask(&words) {
        Ok(_) => Verdict::May,
        Err(error) if error.to_string().starts_with("NOPERM") => Verdict::MayNot,
        Err(error) => lacking(&error, command),
    }
}

/// What an error says that is no refusal.
fn lacking(error: &dyn std::fmt::Display, command: &str) -> Verdict {
    let error = error.to_string().to_lowercase();
    if error.contains("unknown") || error.contains("not found") {
        return Verdict::Absent;
    }
    assert!(
        // Commands that cannot be queued were let through by the access rules.
        error.contains("multi") || error.contains("transaction"),
        "{command}: {error}"
    );
    Verdict::May
}

/// Verdicts of one server: command, column.
async fn tried(binary: &EngineBinary) -> Vec<Vec<Verdict>> {
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let world = World::over(&[&server]);
    let mut found = vec![Vec::new(); commands().len()];
    for (n, column) in COLUMNS.iter().enumerate() {
        world.store.change_held(&world.id, |held| {
            held.instance.roles = RolePolicy {
                profile: column.profile,
                administrator: column.reach,
                ..RolePolicy::default()
            };
        });
        let user = format!("u{n}");
        world.create(&user, PASSWORD, column.privilege).await;
        for (row, command) in found.iter_mut().zip(commands()) {
            row.push(verdict(&server, binary.engine, &user, command));
        }
    }
    found
}

/// What most versions say, and which say otherwise.
fn common(verdicts: &BTreeMap<String, Verdict>) -> (Verdict, BTreeMap<Verdict, Vec<&str>>) {
    let mut by: BTreeMap<Verdict, Vec<&str>> = BTreeMap::new();
    for (engine, verdict) in verdicts {
        by.entry(*verdict).or_default().push(engine);
    }
    let known = |v: &&Verdict| **v != Verdict::Absent;
    let most = by.keys().filter(known).max_by_key(|v| by[*v].len());
    let most = most.copied().unwrap_or(Verdict::Absent);
    by.remove(&most);
    (most, by)
}

type Table = BTreeMap<(usize, usize), BTreeMap<String, Verdict>>;

fn printed(table: &Table) -> String {
    let mut out = String::from("| command |");
    COLUMNS
        .iter()
        .for_each(|c| write!(out, " {} |", c.head).unwrap());
    out.push_str(" otherwise on |\n|--|");
    COLUMNS.iter().for_each(|_| out.push_str("--|"));
    out.push_str("--|\n");
    for (row, command) in commands().into_iter().enumerate() {
        write!(out, "| `{command}` |").unwrap();
        let mut notes = Vec::new();
        let mut absent = BTreeSet::new();
        for (n, column) in COLUMNS.iter().enumerate() {
            let (most, others) = common(&table[&(row, n)]);
            write!(out, " {} |", most.sign()).unwrap();
            for (verdict, engines) in others {
                match verdict {
                    Verdict::Absent => absent.extend(engines),
                    _ => notes.push(format!(
                        "{}: {} on {}",
                        column.head,
                        verdict.sign(),
                        engines.join(", ")
                    )),
                }
            }
        }
        if !absent.is_empty() {
            let absent: Vec<_> = absent.into_iter().collect();
            notes.push(format!("all: absent on {}", absent.join(", ")));
        }
        writeln!(out, " {} |", notes.join("; ")).unwrap();
    }
    out
}

/// What the document says of a command, a column and a version.
fn told(line: &str, column: usize, engine: &str) -> Verdict {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let notes = cells.last().unwrap().trim_end_matches(" |");
    for note in notes.split("; ").filter(|note| !note.is_empty()) {
        let (head, rest) = note.split_once(": ").unwrap();
        let (sign, engines) = rest.split_once(" on ").unwrap();
        let meant = head == "all" || head == COLUMNS[column].head;
        if meant && engines.split(", ").any(|e| e == engine) {
            return Verdict::parse(sign);
        }
    }
    Verdict::parse(cells[column + 1])
}

const BEGIN: &str = "<!-- rights: made by the test `matrix` -->\n";
const END: &str = "<!-- end of rights -->\n";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_are_those_of_the_document() {
    let mut table = Table::new();
    for binary in found_engines() {
        let label = label(binary.engine);
        for (row, verdicts) in tried(binary).await.into_iter().enumerate() {
            for (column, verdict) in verdicts.into_iter().enumerate() {
                let cell = table.entry((row, column)).or_default();
                let before = cell.insert(label.clone(), verdict);
                let command = commands()[row];
                assert!(
                    before.is_none_or(|before| before == verdict),
                    "{}: {command}: patches of one version differ",
                    binary.engine
                );
            }
        }
    }
    let mut text = std::fs::read_to_string(document()).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = text.find(END).unwrap();
    if std::env::var_os("CLAVIGER_BLESS").is_some() {
        let has = |wanted: &str| table[&(0, 0)].contains_key(wanted);
        assert!(WANTED.iter().all(|w| has(w)), "some server is missing");
        text.replace_range(begin..end, &printed(&table));
        std::fs::write(document(), text).unwrap();
        return;
    }
    let lines: Vec<&str> = text[begin..end].lines().skip(2).collect();
    assert_eq!(lines.len(), commands().len());
    for ((row, column), verdicts) in &table {
        let command = commands()[*row];
        assert!(lines[*row].starts_with(&format!("| `{command}` |")));
        for (engine, verdict) in verdicts {
            assert_eq!(
                told(lines[*row], *column, engine),
                *verdict,
                "{engine}: {command} as {}",
                COLUMNS[*column].head
            );
        }
    }
}
