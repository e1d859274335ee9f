-- +goose Up
-- What is true of the file as a whole. A copy of it has another epoch: the numbers of its
-- facts go on from where it was made.
CREATE TABLE history (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch BLOB    NOT NULL
) STRICT;

INSERT INTO history VALUES (1, randomblob(16));
