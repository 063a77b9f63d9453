DROP FUNCTION due_mail(integer);
DROP TABLE worker_heartbeats;
DROP TABLE outgoing_mail;
