-- What was measured. Scores, costs and verdicts are never in these tables: they follow from them.
CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    suite         TEXT    NOT NULL,
    folder        TEXT    NOT NULL,
    plan_digest   BLOB    NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER,
    state         TEXT    NOT NULL,
    options       TEXT    NOT NULL,
    version       TEXT    NOT NULL
);
CREATE TABLE example (
    digest   BLOB PRIMARY KEY,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE exchange (
    id             INTEGER PRIMARY KEY,
    key            BLOB    NOT NULL,
    request_digest BLOB    NOT NULL,
    endpoint       TEXT    NOT NULL,
    request_body   BLOB    NOT NULL,
    status         INTEGER,
    streamed       INTEGER NOT NULL,
    body           BLOB    NOT NULL,
    failure        TEXT,
    event_ms       BLOB    NOT NULL,
    total_ms       REAL    NOT NULL,
    attempts       TEXT    NOT NULL,
    sent_at_ms     INTEGER NOT NULL,
    in_flight      INTEGER NOT NULL,
    provenance     TEXT    NOT NULL,
    reusable       INTEGER NOT NULL
);
CREATE INDEX exchange_by_key ON exchange (key, id) WHERE reusable = 1;
CREATE TABLE trial (
    run         INTEGER NOT NULL REFERENCES run (id),
    variant     TEXT    NOT NULL,
    example_id  TEXT    NOT NULL,
    repeat      INTEGER NOT NULL,
    example     BLOB    NOT NULL REFERENCES example (digest),
    exchange    INTEGER NOT NULL REFERENCES exchange (id),
    reused      INTEGER NOT NULL,
    settled     INTEGER NOT NULL,
    PRIMARY KEY (run, variant, example_id, repeat)
) WITHOUT ROWID;
CREATE TABLE reply (
    question BLOB PRIMARY KEY,
    reply    TEXT NOT NULL
) WITHOUT ROWID;
