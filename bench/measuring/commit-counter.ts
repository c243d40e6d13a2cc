/** Durable commits of one store by the database's own count. */
export interface CommitCounter {
  /** Commits so far; `nudge` has some transactions run, for a database that tells its count only then. */
  read(nudge: () => Promise<unknown>): Promise<number>
  /** Commits in this time that no transaction causes: heartbeats and claims. */
  atRest(ms: number): number
}
