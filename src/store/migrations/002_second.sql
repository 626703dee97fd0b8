-- Vectors of texts, by the endpoint that made them: bought once, used by every run.
CREATE TABLE embedding (
    endpoint BLOB NOT NULL,
    text     BLOB NOT NULL,
    vector   BLOB NOT NULL,
    PRIMARY KEY (endpoint, text)
) WITHOUT ROWID;
-- Batches that a provider works on, so that a run finds them again after a restart.
CREATE TABLE batch (
    id           INTEGER PRIMARY KEY,
    run          INTEGER NOT NULL REFERENCES run (id),
    endpoint     TEXT    NOT NULL,
    remote       TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    submitted_ms INTEGER NOT NULL,
    items        BLOB    NOT NULL
);
