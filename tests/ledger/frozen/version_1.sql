BEGIN TRANSACTION;
CREATE TABLE checks (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        value FLOAT NOT NULL,
        threshold TEXT NOT NULL,
        passed BOOLEAN NOT NULL,
        sample JSON NOT NULL,
        checked_at VARCHAR(27) NOT NULL
    );
INSERT INTO "checks" VALUES(1,'run_000001','events','wow.silver.events','raid_date=2026-02-16/team=a','known','sql','error',3.0,'= 0',0,'[{"n": 1}]','2026-02-16T20:00:00.000000Z');
CREATE TABLE events (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        at VARCHAR(27) NOT NULL,
        kind TEXT NOT NULL,
        run_id TEXT,
        data JSON NOT NULL
    );
INSERT INTO "events" VALUES(1,'2026-02-16T20:00:00.000000Z','run.queued','run_000001','{"kind": "run", "title": "silver"}');
INSERT INTO "events" VALUES(2,'2026-02-16T20:00:00.000000Z','run.running','run_000001','{}');
INSERT INTO "events" VALUES(3,'2026-02-16T20:00:00.000000Z','task.succeeded','run_000001','{"id": "t1", "step": "events", "state": "succeeded", "rows": 10, "seconds": 0.5, "slices": 1}');
INSERT INTO "events" VALUES(4,'2026-02-16T20:00:00.000000Z','check.failed','run_000001','{"step": "events", "dataset": "wow.silver.events", "slice": "raid_date=2026-02-16/team=a", "checks": ["known"]}');
INSERT INTO "events" VALUES(5,'2026-02-16T20:00:00.000000Z','slice.published','run_000001','{"dataset": "wow.silver.events", "step": "events", "slices": ["raid_date=2026-02-16/team=a"], "count": 1, "rows": 10, "receipt": "rcpt_1"}');
INSERT INTO "events" VALUES(6,'2026-02-16T20:01:00.000000Z','slice.published','run_000001','{"dataset": "wow.silver.events", "step": "events", "slices": ["raid_date=2026-02-16/team=a"], "count": 1, "rows": 10, "receipt": "rcpt_2"}');
INSERT INTO "events" VALUES(7,'2026-02-16T20:02:00.000000Z','run.succeeded','run_000001','{}');
CREATE TABLE leases (
        name TEXT NOT NULL PRIMARY KEY,
        token BIGINT NOT NULL,
        owner TEXT NOT NULL,
        process TEXT NOT NULL,
        taken_at VARCHAR(27) NOT NULL,
        expires_at VARCHAR(27)
    );
INSERT INTO "leases" VALUES('table:wow.silver.events',1,'run_000001','machine 1 1','2026-02-16T20:02:00.000000Z',NULL);
CREATE TABLE receipts (
        id TEXT NOT NULL PRIMARY KEY,
        dataset TEXT NOT NULL,
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        published_at VARCHAR(27) NOT NULL,
        recorded_at VARCHAR(27) NOT NULL
    );
INSERT INTO "receipts" VALUES('rcpt_1','wow.silver.events','run_000001','events','2026-02-16T20:00:00.000000Z','2026-02-16T20:00:00.000000Z');
INSERT INTO "receipts" VALUES('rcpt_2','wow.silver.events','run_000001','events','2026-02-16T20:01:00.000000Z','2026-02-16T20:01:00.000000Z');
CREATE TABLE runs (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        request JSON NOT NULL,
        state TEXT NOT NULL,
        error JSON,
        created_at VARCHAR(27) NOT NULL,
        started_at VARCHAR(27),
        ended_at VARCHAR(27),
        heartbeat_at VARCHAR(27),
        process TEXT,
        cancel_requested BOOLEAN NOT NULL
    );
INSERT INTO "runs" VALUES('run_000001','run','silver','{"targets": ["wow.silver.events"]}','succeeded',NULL,'2026-02-16T20:00:00.000000Z','2026-02-16T20:00:00.000000Z','2026-02-16T20:02:00.000000Z','2026-02-16T20:00:00.000000Z','machine 1 1',0);
CREATE TABLE schema_version (
        version INTEGER NOT NULL PRIMARY KEY,
        applied_at VARCHAR(27) NOT NULL
    );
INSERT INTO "schema_version" VALUES(1,'2026-02-16T20:00:00.000000Z');
CREATE TABLE slice_states (
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        state TEXT NOT NULL,
        run_id TEXT NOT NULL,
        detail TEXT NOT NULL,
        changed_at VARCHAR(27) NOT NULL,
        PRIMARY KEY (dataset, slice)
    );
INSERT INTO "slice_states" VALUES('wow.silver.events','raid_date=2026-02-16/team=a','published','run_000001','','2026-02-16T20:01:00.000000Z');
CREATE TABLE slice_versions (
        dataset TEXT NOT NULL,
        slice TEXT NOT NULL,
        version INTEGER NOT NULL,
        receipt_id TEXT NOT NULL REFERENCES receipts (id),
        files JSON NOT NULL,
        rows BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        content_hash TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        inputs JSON NOT NULL,
        PRIMARY KEY (dataset, slice, version)
    );
INSERT INTO "slice_versions" VALUES('wow.silver.events','raid_date=2026-02-16/team=a',1,'rcpt_1','["/lake/1.parquet"]',10,100,'hash1','print','{"wow.bronze.combatlog": {"all": 1}}');
INSERT INTO "slice_versions" VALUES('wow.silver.events','raid_date=2026-02-16/team=a',2,'rcpt_2','["/lake/2.parquet"]',10,100,'hash2','print','{"wow.bronze.combatlog": {"all": 2}}');
CREATE TABLE tasks (
        run_id TEXT NOT NULL REFERENCES runs (id),
        id TEXT NOT NULL,
        position INTEGER NOT NULL,
        step TEXT NOT NULL,
        slices JSON NOT NULL,
        state TEXT NOT NULL,
        rows BIGINT,
        seconds FLOAT,
        sql TEXT,
        error JSON,
        detail JSON NOT NULL,
        changed_at VARCHAR(27) NOT NULL,
        PRIMARY KEY (run_id, id)
    );
INSERT INTO "tasks" VALUES('run_000001','t1',1,'events','["raid_date=2026-02-16/team=a"]','succeeded',10,0.5,'SELECT 1',NULL,'{}','2026-02-16T20:00:00.000000Z');
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX receipts_by_run ON receipts (run_id);
CREATE INDEX slice_versions_by_receipt ON slice_versions (receipt_id);
CREATE INDEX checks_by_dataset ON checks (dataset, seq);
CREATE INDEX checks_by_run ON checks (run_id, seq);
CREATE INDEX events_by_run ON events (run_id, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',7);
INSERT INTO "sqlite_sequence" VALUES('checks',1);
COMMIT;
