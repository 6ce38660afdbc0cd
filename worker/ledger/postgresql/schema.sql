-- The ledger of iton-worker: schema version 1. It may be run again at any time, and changes nothing then.
-- Entries of all deployments (AMQP_PREFIX) of one database stand side by side.
CREATE SCHEMA IF NOT EXISTS iton_worker;

CREATE TABLE IF NOT EXISTS iton_worker.version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    usable_by integer NOT NULL  -- the oldest version whose programs can work with this one
);

-- expires_hour is what the index has, whole hours of expires_at: a job's steps, seconds apart, leave it as it
-- is, so that they need no new index entry, and a page has room for them.
CREATE TABLE IF NOT EXISTS iton_worker.entries (
    prefix text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    token text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    expires_hour integer NOT NULL,
    PRIMARY KEY (prefix, key)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX IF NOT EXISTS entries_by_hour ON iton_worker.entries (expires_hour);

CREATE TABLE IF NOT EXISTS iton_worker.probes (
    prefix text COLLATE "C" PRIMARY KEY,
    at timestamptz NOT NULL
);

-- Not worth a disk or a standby: a bucket that is lost is full again.
CREATE UNLOGGED TABLE IF NOT EXISTS iton_worker.rates (
    prefix text COLLATE "C" PRIMARY KEY,
    tokens double precision NOT NULL,
    at timestamptz NOT NULL
);

-- Before each write. Whatever server, role or pooler say: what is acknowledged is on the disk, and on the
-- synchronous standbys that the server names. Nobody waits for a lock as long as his caller waits for him.
CREATE OR REPLACE FUNCTION iton_worker.guard() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', '3s', true);
END $$;

-- Compare and swap, in the order of keys, so that no two transactions wait for each other. Returns the
-- positions, from 1 on, of those that stand. One that stands already, because it is repeated, is written all
-- the same: only a commit waits for the standbys, and the first try may not have been able to.
CREATE OR REPLACE FUNCTION iton_worker.swap(
    of_prefix text, keys text[], expected text[], tokens text[], states bytea[], retention interval
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    one record;
    moment timestamptz := clock_timestamp();
    ends timestamptz := moment + retention;
    hour integer := floor(extract(epoch FROM ends) / 3600);
    written boolean;
    standing integer[] := '{}';
BEGIN
    PERFORM iton_worker.guard();
    FOR one IN
        SELECT * FROM unnest(keys, expected, tokens, states)
            WITH ORDINALITY AS asked (key, expected, token, state, place)
        ORDER BY asked.key COLLATE "C", asked.place
    LOOP
        written := false;
        IF one.expected IS NULL THEN
            INSERT INTO iton_worker.entries AS held (prefix, key, token, state, expires_at, expires_hour)
            VALUES (of_prefix, one.key, one.token, one.state, ends, hour)
            ON CONFLICT (prefix, key) DO UPDATE
                SET token = excluded.token, state = excluded.state,
                    expires_at = excluded.expires_at, expires_hour = excluded.expires_hour
                WHERE held.expires_at <= moment;
            written := FOUND;
        ELSIF one.expected <> one.token THEN
            UPDATE iton_worker.entries AS held
            SET token = one.token, state = one.state, expires_at = ends, expires_hour = hour
            WHERE held.prefix = of_prefix AND held.key = one.key
                AND held.token = one.expected AND held.expires_at > moment;
            written := FOUND;
        END IF;
        IF NOT written THEN
            UPDATE iton_worker.entries AS held SET token = held.token
            WHERE held.prefix = of_prefix AND held.key = one.key
                AND held.token = one.token AND held.expires_at > moment;
            written := FOUND;
        END IF;
        IF written THEN
            standing := standing || one.place::integer;
        END IF;
    END LOOP;
    RETURN standing;
END $$;

-- Have entries live a whole retention from now on, but those that have been written within `fresh`. Returns
-- the positions of those that were renewed.
CREATE OR REPLACE FUNCTION iton_worker.renew(
    of_prefix text, keys text[], retention interval, fresh interval
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    one record;
    moment timestamptz := clock_timestamp();
    ends timestamptz := moment + retention;
    hour integer := floor(extract(epoch FROM ends) / 3600);
    renewed integer[] := '{}';
BEGIN
    PERFORM iton_worker.guard();
    FOR one IN
        SELECT * FROM unnest(keys) WITH ORDINALITY AS asked (key, place)
        ORDER BY asked.key COLLATE "C", asked.place
    LOOP
        UPDATE iton_worker.entries AS held SET expires_at = ends, expires_hour = hour
        WHERE held.prefix = of_prefix AND held.key = one.key
            AND held.expires_at > moment AND held.expires_at <= ends - fresh;
        IF FOUND THEN
            renewed := renewed || one.place::integer;
        END IF;
    END LOOP;
    RETURN renewed;
END $$;

-- Prove that there can be written.
CREATE OR REPLACE FUNCTION iton_worker.probe(of_prefix text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM iton_worker.guard();
    INSERT INTO iton_worker.probes (prefix, at) VALUES (of_prefix, clock_timestamp())
    ON CONFLICT (prefix) DO UPDATE SET at = excluded.at;
END $$;

-- Delete at most so many entries whose last hour is over, of whatever deployment; return how many. One worker
-- at a time, and nobody waits for it.
CREATE OR REPLACE FUNCTION iton_worker.sweep(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    deleted integer;
BEGIN
    PERFORM iton_worker.guard();
    IF NOT pg_try_advisory_xact_lock(hashtext('iton_worker.sweep')) THEN
        RETURN 0;
    END IF;
    DELETE FROM iton_worker.entries AS held USING (
        SELECT prefix, key FROM iton_worker.entries
        WHERE expires_hour < floor(extract(epoch FROM clock_timestamp()) / 3600)::integer
        LIMIT most FOR UPDATE SKIP LOCKED
    ) AS gone
    WHERE held.prefix = gone.prefix AND held.key = gone.key;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

-- Take as many of `asked` tokens as the bucket holds. Returns how many were taken, and the seconds until there
-- may be one more.
CREATE OR REPLACE FUNCTION iton_worker.take(
    of_prefix text, rate double precision, most double precision, asked integer,
    OUT taken integer, OUT wait double precision
) LANGUAGE plpgsql AS $$
DECLARE
    held record;
    moment timestamptz;
    now_held double precision;
BEGIN
    PERFORM set_config('lock_timeout', '3s', true);
    INSERT INTO iton_worker.rates AS bucket (prefix, tokens, at) VALUES (of_prefix, most, clock_timestamp())
    ON CONFLICT (prefix) DO NOTHING;
    SELECT bucket.tokens, bucket.at INTO held
    FROM iton_worker.rates AS bucket WHERE bucket.prefix = of_prefix FOR UPDATE;
    moment := clock_timestamp();
    now_held := least(most, held.tokens + greatest(extract(epoch FROM moment - held.at), 0) * rate);
    taken := least(asked, floor(now_held));
    now_held := now_held - taken;
    wait := greatest(1 - now_held, 0) / rate;
    UPDATE iton_worker.rates AS bucket SET tokens = now_held, at = moment WHERE bucket.prefix = of_prefix;
END $$;

INSERT INTO iton_worker.version (version, usable_by) VALUES (1, 1)
ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, usable_by = excluded.usable_by
WHERE iton_worker.version.version < excluded.version;
