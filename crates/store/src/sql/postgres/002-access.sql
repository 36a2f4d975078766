-- Who may do what: tags, policies, keys that end and are rotated; the audit trail as a chain.
-- As in the embedded store, but for audit_new.

ALTER TABLE instance ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT '{}';

ALTER TABLE access_key ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE access_key ADD COLUMN expires_at BIGINT;
ALTER TABLE access_key ADD COLUMN sealed_former BYTEA;
ALTER TABLE access_key ADD COLUMN former_until BIGINT;
ALTER TABLE access_key ADD COLUMN last_used_at BIGINT;

CREATE TABLE access_policy (
    name       TEXT COLLATE "C" PRIMARY KEY,
    text       TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL
);

ALTER TABLE audit ADD COLUMN session TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN before TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN after TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN hash BYTEA;

-- The number of a row is its place in the chain.
ALTER TABLE audit ALTER COLUMN id DROP IDENTITY;

CREATE TABLE audit_end (
    which      TEXT COLLATE "C" PRIMARY KEY,
    sealed_end BYTEA NOT NULL
);

-- Rows that were committed and have no place in the chain yet: one order for all of them would
-- have every commit wait for the one before it. They get their place within a second, and before
-- anyone reads the trail.
CREATE TABLE audit_new (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry TEXT COLLATE "C" NOT NULL
);
