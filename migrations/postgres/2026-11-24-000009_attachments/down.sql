DROP TABLE discarded_files;
DROP TABLE attachments;
