-- Instances with their accounts, the tasks and tokens of accepted changes, keys, the audit trail.
--
-- Times are milliseconds since the Unix epoch. Columns named sealed_* hold blobs of the sealer
-- (see seal.rs), each bound to its table, row and column. Words are those of words.rs. Columns
-- with structure are JSON text in the form of the domain types' serde.
--
-- Rows that every change touches are kept narrow and apart from those that it only reads
-- (instance_head beside instance): what a commit writes is whole pages.

CREATE TABLE canary (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instance (
    id                      TEXT PRIMARY KEY,
    name                    TEXT NOT NULL,
    region                  TEXT NOT NULL,
    topology                TEXT NOT NULL,
    master_name             TEXT,
    seeds                   TEXT NOT NULL,
    tls                     TEXT NOT NULL,
    login_user              TEXT,
    sealed_login            BLOB NOT NULL,
    former_logins           INTEGER NOT NULL,
    sealed_default_password BLOB,
    roles                   TEXT NOT NULL,
    state                   TEXT NOT NULL,
    engine                  TEXT,
    observed_topology       TEXT,
    unmanaged               TEXT NOT NULL,
    created_at              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instance_head (
    instance TEXT PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    instance         TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    id               TEXT NOT NULL,
    kind             TEXT NOT NULL,
    privilege        TEXT NOT NULL,
    routing          INTEGER NOT NULL,
    description      TEXT NOT NULL,
    sealed_password  BLOB,
    life             TEXT NOT NULL,
    replaces         INTEGER NOT NULL,
    created_revision INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    confirmed        INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    password_set_at  INTEGER,
    PRIMARY KEY (instance, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    instance    TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    place       INTEGER NOT NULL,
    address     TEXT NOT NULL,
    tls         INTEGER NOT NULL,
    role        TEXT NOT NULL,
    engine      TEXT,
    run_id      TEXT NOT NULL,
    persistence TEXT NOT NULL,
    confirmed   INTEGER NOT NULL,
    saved       INTEGER NOT NULL,
    PRIMARY KEY (instance, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE task (
    id           INTEGER PRIMARY KEY,
    instance     TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    account      TEXT NOT NULL,
    account_name TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    revision     INTEGER NOT NULL,
    by_key       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER
) STRICT;

-- An instance's tasks, newest first.
CREATE INDEX task_of_instance ON task (instance, id);
-- What a confirmation may finish.
CREATE INDEX task_running ON task (instance, account) WHERE state = 'running';

CREATE TABLE idempotency (
    scope       TEXT NOT NULL,
    token       TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    outcome     TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    PRIMARY KEY (scope, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_until ON idempotency (until);

CREATE TABLE nonce (
    digest BLOB PRIMARY KEY,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX nonce_until ON nonce (until);

CREATE TABLE access_key (
    id            TEXT PRIMARY KEY,
    sealed_secret BLOB NOT NULL,
    role          TEXT NOT NULL,
    scope         TEXT NOT NULL,
    description   TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    access_key TEXT NOT NULL,
    source     TEXT NOT NULL,
    dialect    TEXT NOT NULL,
    action     TEXT NOT NULL,
    instance   TEXT NOT NULL,
    account    TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    detail     TEXT NOT NULL
) STRICT;
