-- Erases the owner's account, and with it all that is left of what it owns.
DELETE FROM users
WHERE id = %(owner_id)s
