-- Accounts that replicas and Sentinels log in with; passwords by which a user that an old file
-- brings back is known to be ours. As in the embedded store.

ALTER TABLE instance ADD COLUMN link_users TEXT COLLATE "C" NOT NULL DEFAULT '[]';

ALTER TABLE account ADD COLUMN sealed_leaving BYTEA;
ALTER TABLE account ADD COLUMN sealed_link BYTEA;

CREATE TABLE past_password (
    instance        TEXT COLLATE "C" NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    revision        BIGINT NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    sealed_password BYTEA NOT NULL,
    at              BIGINT NOT NULL,
    PRIMARY KEY (instance, revision, id)
);

CREATE INDEX past_password_at ON past_password (at);
