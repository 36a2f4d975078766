-- Who may do what: tags, policies, keys that end and are rotated; the audit trail as a chain.

ALTER TABLE instance ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

ALTER TABLE access_key ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
ALTER TABLE access_key ADD COLUMN expires_at INTEGER;
-- The secret before the last rotation, and until when it is good.
ALTER TABLE access_key ADD COLUMN sealed_former BLOB;
ALTER TABLE access_key ADD COLUMN former_until INTEGER;
ALTER TABLE access_key ADD COLUMN last_used_at INTEGER;

CREATE TABLE access_policy (
    name       TEXT PRIMARY KEY,
    text       TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE audit ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN before TEXT NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN after TEXT NOT NULL DEFAULT '{}';
-- The row's digest after the row before it; NULL in rows that are older than the chain.
ALTER TABLE audit ADD COLUMN hash BLOB;

-- Both ends of the chain, sealed: 'base', the last row that was forgotten, and 'head', the newest.
CREATE TABLE audit_end (
    which      TEXT PRIMARY KEY,
    sealed_end BLOB NOT NULL
) STRICT, WITHOUT ROWID;
