-- The first form of the history. Every number is chosen so that the order of keys is the order of time.

-- What lists are filtered by: small rows, so that many are read at once.
CREATE TABLE calls (
    number INTEGER PRIMARY KEY, -- microseconds since 1970 when it was made, times 1024, plus a place among those of one microsecond
    id TEXT NOT NULL UNIQUE,
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

CREATE INDEX calls_by_task ON calls (task, number);
CREATE INDEX calls_by_state ON calls (state, number);
CREATE INDEX calls_open ON calls (broker, number) WHERE open = 1;
CREATE INDEX calls_usual ON calls (task, number, queue, total, ran) WHERE state IN ('ok', 'late_ok');

-- All of a call. The large columns last: what stands before them is read without them.
CREATE TABLE bodies (
    number INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    brief TEXT NOT NULL,
    record TEXT NOT NULL,       -- umbel.record/1
    result TEXT                 -- JSON, exact
) STRICT;

-- What is searched: composed, small letters.
CREATE TABLE words (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE found USING fts5 (
    text, content = 'words', content_rowid = 'number', tokenize = 'trigram', detail = 'none', columnsize = 0
);

CREATE TRIGGER words_new AFTER INSERT ON words BEGIN
    INSERT INTO found (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER words_gone AFTER DELETE ON words BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.number, old.text);
END;
CREATE TRIGGER words_other AFTER UPDATE ON words BEGIN
    INSERT INTO found (found, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO found (rowid, text) VALUES (new.number, new.text);
END;

-- Calls that were forgotten while they were on their way: what is heard of them later is not kept.
CREATE TABLE forgotten (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL         -- seconds since 1970
) STRICT, WITHOUT ROWID;
