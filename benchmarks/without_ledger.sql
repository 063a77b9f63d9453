-- For `make bench-duties` only: changes are counted, and neither hashed nor recorded.
CREATE OR REPLACE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    UPDATE public.ledgers
    SET version = NEW.version, changed_at = NEW.updated_at
    WHERE ledgers.owner_id = NEW.owner_id;
    RETURN NULL;
END
$$;
