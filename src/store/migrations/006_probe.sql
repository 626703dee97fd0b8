-- What trained baselines reached, by the digest of all that it rests on: pool, test examples, schema, labels, scorer.
CREATE TABLE probe (
    key    BLOB NOT NULL PRIMARY KEY,
    report TEXT NOT NULL
) WITHOUT ROWID;
