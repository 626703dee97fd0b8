-- Bodies are packed with zstd against a dictionary: the first body of their kind in a run. Its id is
-- made of its bytes (the first 64 bits of their SHA-256), so that stores are joined without renumbering.
CREATE TABLE dictionary (
    id    INTEGER PRIMARY KEY,
    bytes BLOB    NOT NULL
);
-- With which dictionary a body is packed; NULL is a body as it is.
ALTER TABLE exchange ADD COLUMN request_dictionary INTEGER REFERENCES dictionary (id);
ALTER TABLE exchange ADD COLUMN body_dictionary INTEGER REFERENCES dictionary (id);
-- Runs that were removed: how often a suite's examples were scored does not shrink with them, and their
-- names are not given again.
CREATE TABLE pruned (
    run    INTEGER PRIMARY KEY,
    suite  TEXT    NOT NULL,
    scored INTEGER NOT NULL
);
