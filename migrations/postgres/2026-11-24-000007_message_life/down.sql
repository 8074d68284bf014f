DROP TABLE read_marks;
DROP TABLE pins;
DROP TABLE edits;
DROP TABLE reactions;
