-- Accounts that replicas and Sentinels log in with; passwords by which a user that an old file
-- brings back is known to be ours.

ALTER TABLE instance ADD COLUMN link_users TEXT NOT NULL DEFAULT '[]';

-- Valid before the last change of the password, until that is confirmed everywhere.
ALTER TABLE account ADD COLUMN sealed_leaving BLOB;
-- In the clear, for those who log in with it.
ALTER TABLE account ADD COLUMN sealed_link BLOB;

-- What account.sealed_password was before a change, or the account's end, sealed as it was there.
CREATE TABLE past_password (
    instance        TEXT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    revision        INTEGER NOT NULL,
    id              TEXT NOT NULL,
    name            TEXT NOT NULL,
    sealed_password BLOB NOT NULL,
    at              INTEGER NOT NULL,
    PRIMARY KEY (instance, revision, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX past_password_at ON past_password (at);
