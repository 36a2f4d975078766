-- The same tables as the embedded store has (sql/sqlite), and those that only processes that
-- share a store need: member, lease, seat.
--
-- Times are milliseconds since the Unix epoch, but for `until` of member, which is the database's
-- own clock: the processes' clocks may differ. Columns named sealed_* hold blobs of the sealer
-- (see seal.rs), each bound to its table, row and column. Words are those of words.rs. Columns
-- with structure are JSON text in the form of the domain types' serde.
--
-- Texts are compared byte by byte, as SQLite does, whatever the database's locale.

CREATE TABLE canary (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    sealed BYTEA NOT NULL
);

CREATE TABLE setting (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE instance (
    id                      TEXT COLLATE "C" PRIMARY KEY,
    name                    TEXT COLLATE "C" NOT NULL,
    region                  TEXT COLLATE "C" NOT NULL,
    topology                TEXT COLLATE "C" NOT NULL,
    master_name             TEXT COLLATE "C",
    seeds                   TEXT COLLATE "C" NOT NULL,
    tls                     TEXT COLLATE "C" NOT NULL,
    login_user              TEXT COLLATE "C",
    sealed_login            BYTEA NOT NULL,
    former_logins           BIGINT NOT NULL,
    sealed_default_password BYTEA,
    roles                   TEXT COLLATE "C" NOT NULL,
    policy                  TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    state                   TEXT COLLATE "C" NOT NULL,
    engine                  TEXT COLLATE "C",
    observed_topology       TEXT COLLATE "C",
    unmanaged               TEXT COLLATE "C" NOT NULL,
    created_at              BIGINT NOT NULL
);

-- Its row is what changes of an instance lock, so that they come one after the other.
CREATE TABLE instance_head (
    instance TEXT COLLATE "C" PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    revision BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE account (
    instance         TEXT COLLATE "C" NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    name             TEXT COLLATE "C" NOT NULL,
    id               TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    privilege        TEXT COLLATE "C" NOT NULL,
    routing          BIGINT NOT NULL,
    description      TEXT COLLATE "C" NOT NULL,
    sealed_password  BYTEA,
    life             TEXT COLLATE "C" NOT NULL,
    replaces         BOOLEAN NOT NULL,
    created_revision BIGINT NOT NULL,
    revision         BIGINT NOT NULL,
    confirmed        BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    password_set_at  BIGINT,
    password_free    BOOLEAN NOT NULL DEFAULT false,
    enabled          BOOLEAN NOT NULL DEFAULT true,
    expires_at       BIGINT,
    PRIMARY KEY (instance, name)
);

-- What is to end by itself.
CREATE INDEX account_expires ON account (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE node (
    instance    TEXT COLLATE "C" NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    place       BIGINT NOT NULL,
    address     TEXT COLLATE "C" NOT NULL,
    tls         BOOLEAN NOT NULL,
    role        TEXT COLLATE "C" NOT NULL,
    engine      TEXT COLLATE "C",
    run_id      TEXT COLLATE "C" NOT NULL,
    persistence TEXT COLLATE "C" NOT NULL,
    confirmed   BIGINT NOT NULL,
    saved       BIGINT NOT NULL,
    PRIMARY KEY (instance, place)
);

-- Numbers of tasks: never given twice, whatever becomes of the tasks.
CREATE SEQUENCE task_number;

CREATE TABLE task (
    id           BIGINT PRIMARY KEY,
    instance     TEXT COLLATE "C" NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    account      TEXT COLLATE "C" NOT NULL,
    account_name TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    revision     BIGINT NOT NULL,
    by_key       TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    finished_at  BIGINT
);

-- An instance's tasks, newest first.
CREATE INDEX task_of_instance ON task (instance, id);
-- What a confirmation may finish.
CREATE INDEX task_running ON task (instance, account) WHERE state = 'running';

CREATE TABLE idempotency (
    scope       TEXT COLLATE "C" NOT NULL,
    token       TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    revision    BIGINT NOT NULL,
    until       BIGINT NOT NULL,
    PRIMARY KEY (scope, token)
);

CREATE INDEX idempotency_until ON idempotency (until);

CREATE TABLE nonce (
    digest BYTEA PRIMARY KEY,
    until  BIGINT NOT NULL
);

CREATE INDEX nonce_until ON nonce (until);

CREATE TABLE access_key (
    id            TEXT COLLATE "C" PRIMARY KEY,
    sealed_secret BYTEA NOT NULL,
    role          TEXT COLLATE "C" NOT NULL,
    scope         TEXT COLLATE "C" NOT NULL,
    description   TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);

CREATE TABLE audit (
    id         BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    access_key TEXT COLLATE "C" NOT NULL,
    source     TEXT COLLATE "C" NOT NULL,
    dialect    TEXT COLLATE "C" NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    instance   TEXT COLLATE "C" NOT NULL,
    account    TEXT COLLATE "C" NOT NULL,
    outcome    TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE strike (
    scope TEXT COLLATE "C" PRIMARY KEY,
    count BIGINT NOT NULL,
    until BIGINT NOT NULL
);

CREATE INDEX strike_until ON strike (until);

-- The processes that serve this store, each alive until then unless it says so again.
CREATE TABLE member (
    id    TEXT COLLATE "C" PRIMARY KEY,
    until TIMESTAMPTZ NOT NULL
);

-- Which of them drives an instance. A lease is good as long as its holder is alive; whoever
-- takes one over raises the epoch, so that what the holder before says late is refused.
CREATE TABLE lease (
    instance TEXT COLLATE "C" PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    holder   TEXT COLLATE "C" NOT NULL,
    epoch    BIGINT NOT NULL
);

CREATE INDEX lease_holder ON lease (holder);

-- What the holder of the lease saw of an instance last, in the fleet's own words.
CREATE TABLE seat (
    instance TEXT COLLATE "C" PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    epoch    BIGINT NOT NULL,
    seen     TEXT COLLATE "C" NOT NULL
);

-- Numbers that rise with every change of what they are named for, in the same commit, so that it
-- is cheap to see that there was none.
CREATE TABLE mark (
    name   TEXT COLLATE "C" PRIMARY KEY,
    number BIGINT NOT NULL
);

INSERT INTO mark (name, number) VALUES ('keys', 0);
