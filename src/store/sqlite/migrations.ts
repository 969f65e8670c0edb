/**
 * The tables, as the list of steps that made them. A step that was ever released is never edited: files in
 * the field have run it. Each step and its mark in `migrations` are one transaction.
 */
import type { WallTime } from '../../kernel/time.ts'
import type { Connection } from './connection.ts'

const migrations: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('revision', 0), ('changeId', 0), ('compacted', 0), ('historyBytes', 0), ('lastSeq', 0);

  CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    createRevision INTEGER NOT NULL,
    modRevision INTEGER NOT NULL,
    value TEXT NOT NULL
  ) STRICT;

  -- The history that watches read; a null value is a delete.
  CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    createRevision INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT
  ) STRICT;

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    time REAL NOT NULL,
    type TEXT NOT NULL,
    noun TEXT GENERATED ALWAYS AS (substr(type, 1, instr(type, '.') - 1)),
    level TEXT NOT NULL,
    service TEXT,
    instance TEXT,
    event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX eventsByType ON events (type, seq);
  CREATE INDEX eventsByNoun ON events (noun, seq);
  CREATE INDEX eventsByService ON events (service, seq) WHERE service IS NOT NULL;
  `,
]

/** The version that this program reads and writes. */
export const schemaVersion = migrations.length

/** The version of the file; 0 when no step was ever run on it. */
export function versionOf(connection: Connection): number {
  const known = connection.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'")
  if (!known) return 0
  const row = connection.get('SELECT max(version) AS version FROM migrations') as { version: number | null }
  return row.version ?? 0
}

/** Brings a file of version `from` to `schemaVersion`. Prepares no statement, so that the connection can be closed at once (see `driver.ts`). */
export function migrate(connection: Connection, from: number, now: WallTime): void {
  for (let version = from + 1; version <= schemaVersion; version++) {
    connection.transaction(() => {
      connection.exec('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, appliedAt INTEGER NOT NULL) STRICT')
      connection.exec(migrations[version - 1] ?? '')
      connection.exec(`INSERT INTO migrations (version, appliedAt) VALUES (${version}, ${Math.trunc(now)})`)
    })
  }
}
