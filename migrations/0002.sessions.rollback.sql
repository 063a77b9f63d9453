DROP TABLE known_addresses;
DROP TABLE guesses;
DROP TABLE ended_sessions;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
