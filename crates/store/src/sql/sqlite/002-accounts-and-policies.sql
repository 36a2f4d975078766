-- Accounts that may be switched off, end by themselves or take no password; how an instance
-- treats its accounts; failures in a row that lock.

ALTER TABLE account ADD COLUMN password_free INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE account ADD COLUMN expires_at INTEGER;

-- What is to end by itself.
CREATE INDEX account_expires ON account (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE instance ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';

CREATE TABLE strike (
    scope TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX strike_until ON strike (until);
