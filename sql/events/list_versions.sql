-- Lists the versions of owners' ledgers, once for each of the given sessions that goes on; owner_ids and
-- session_ids are pairs. It takes one question for all streams, whoever's they are.
-- No row: all of these sessions have ended.
-- @reads
-- @param owner_ids uuid[]
-- @param session_ids uuid[]
-- @returns owner_id uuid, session_id uuid, version bigint, pruned_version bigint
SELECT owner_id, session_id, version, pruned_version
FROM streamed_versions(%(owner_ids)s::uuid[], %(session_ids)s::uuid[])
