-- What trained baselines reached: derived, and dropped at any time without losing what was measured. By the digest
-- of all that it rests on: pool, test examples, schema, labels, scorer.
CREATE TABLE probe (
    key    BLOB NOT NULL PRIMARY KEY,
    report TEXT NOT NULL
) WITHOUT ROWID;
-- What was last found about the labels of a run's suite, by the digest of its rows and what was said of them.
CREATE TABLE label_review (
    key    BLOB NOT NULL PRIMARY KEY,
    review TEXT NOT NULL
) WITHOUT ROWID;
