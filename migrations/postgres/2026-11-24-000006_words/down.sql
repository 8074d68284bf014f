DROP TABLE word_blocks;
DROP TABLE recent_words;
