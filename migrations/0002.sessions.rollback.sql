DROP TABLE known_addresses;
DROP TABLE login_attempts;
DROP TABLE ended_sessions;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
