DROP INDEX blocks_person;
DROP TABLE presence;
