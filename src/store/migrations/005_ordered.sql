-- Examples stand in the order of their names, which is mostly that in which they are asked: by digest, each
-- lay on a page of its own, which every commit then wrote anew.
CREATE TABLE ordered_example (
    id       TEXT NOT NULL,
    digest   BLOB NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (id, digest)
) WITHOUT ROWID;
INSERT INTO ordered_example (id, digest, document)
    SELECT json_extract(document, '$.id'), digest, document FROM example ORDER BY 1, 2;
CREATE TABLE ordered_trial (
    run         INTEGER NOT NULL REFERENCES run (id),
    variant     TEXT    NOT NULL,
    example_id  TEXT    NOT NULL,
    repeat      INTEGER NOT NULL,
    example     BLOB    NOT NULL,
    exchange    INTEGER NOT NULL REFERENCES exchange (id),
    reused      INTEGER NOT NULL,
    settled     INTEGER NOT NULL,
    PRIMARY KEY (run, variant, example_id, repeat),
    FOREIGN KEY (example_id, example) REFERENCES example (id, digest)
) WITHOUT ROWID;
INSERT INTO ordered_trial SELECT run, variant, example_id, repeat, example, exchange, reused, settled FROM trial;
DROP TABLE trial;
DROP TABLE example;
ALTER TABLE ordered_example RENAME TO example;
ALTER TABLE ordered_trial RENAME TO trial;
