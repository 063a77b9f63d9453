-- Puts a mail into the outbox, to be sent when the transaction has committed.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param recipient text
-- @param subject text
-- @param text text
-- @param html text
-- @param list_unsubscribe text
-- @param message_id text
-- @param has_link boolean
INSERT INTO outgoing_mail (
    owner_id, id, recipient, subject, text, html, list_unsubscribe, message_id, has_link
)
VALUES (
    %(owner_id)s, %(id)s, %(recipient)s, %(subject)s, %(text)s, %(html)s, %(list_unsubscribe)s,
    %(message_id)s, %(has_link)s
)
