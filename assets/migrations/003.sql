-- One call of an id may be forgotten, and not another: those from one number up to another.
CREATE TABLE forgotten_anew (
    id TEXT NOT NULL,
    since INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    at INTEGER NOT NULL,        -- seconds since 1970
    PRIMARY KEY (id, since)
) STRICT, WITHOUT ROWID;

INSERT INTO forgotten_anew SELECT id, 0, upto, at FROM forgotten;
DROP TABLE forgotten;
ALTER TABLE forgotten_anew RENAME TO forgotten;
