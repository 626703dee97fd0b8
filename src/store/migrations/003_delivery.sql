-- How the request of an exchange reached its endpoint: `direct`, or as a line of a `batch`.
ALTER TABLE exchange ADD COLUMN delivery TEXT NOT NULL DEFAULT 'direct';
CREATE INDEX batch_by_state ON batch (state);
