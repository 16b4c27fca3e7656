-- An id may be used again: a call is known by its id and the time when it was made, and the earlier one stays.
CREATE TABLE calls_anew (
    number INTEGER PRIMARY KEY, -- microseconds since 1970 when it was made, times 1024, plus a place among those of one microsecond
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,  -- the greater one knows more
    state TEXT NOT NULL,
    task TEXT NOT NULL,
    queue TEXT,
    broker TEXT NOT NULL,
    profile TEXT,
    open INTEGER NOT NULL,      -- 1: an answer may still come
    masked INTEGER NOT NULL,    -- 1: secrets were masked
    took INTEGER,               -- durations in nanoseconds
    queued INTEGER,
    ran INTEGER,
    total INTEGER
) STRICT;

INSERT INTO calls_anew
    SELECT number, id, revision, state, task, queue, broker, profile, open, masked, took, queued, ran, total FROM calls;
DROP TABLE calls;
ALTER TABLE calls_anew RENAME TO calls;

CREATE INDEX calls_by_id ON calls (id, number);
CREATE INDEX calls_by_task ON calls (task, number);
CREATE INDEX calls_by_state ON calls (state, number);
CREATE INDEX calls_open ON calls (broker, number) WHERE open = 1;
-- What is usual is usual on one broker.
CREATE INDEX calls_usual ON calls (task, broker, number, queue, ran) WHERE state IN ('ok', 'late_ok');

-- Which calls of the id are forgotten: those up to this number.
ALTER TABLE forgotten ADD COLUMN upto INTEGER NOT NULL DEFAULT 9223372036854775807;
