/** Settings that the harness passes to a server. */
export interface Settings {
  /** URL of a PostgreSQL database for this server alone. Without it, its users are in SQLite. */
  readonly postgresUrl?: string
  /** URL of the run's private Redis. Without it, state is in memory or in the database. */
  readonly redisUrl?: string
  /** A folder for this server alone. */
  readonly folder: string
  /** Number of users, each with one session or token if active. */
  readonly users: number
  /** Number of these users that send requests, spread evenly. */
  readonly active: number
  /**
   * Number of additional users, without a session, that sign in.
   * They are separate because a sign-in may end a session that is under load.
   */
  readonly signIns: number
}

/** A request and its expected response. */
export interface Case {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Members that the JSON response must have. */
  readonly expect: Readonly<Record<string, unknown>>
}

/** The cases of a server, by kind of request. */
export type Cases = Readonly<Record<string, readonly Case[]>>

/** `profile` starts a CPU profile, or stops it and writes it to `server.cpuprofile`. */
export type Question = { readonly ask: 'cpu' | 'heap' | 'profile' }

/** CPU time of all threads in µs, or heap bytes after a garbage collection. 0 for a profile. */
export type Answer = { readonly answer: number }

export type Ready = { readonly port: number; readonly cases: Cases }

/** The indexes of the active users, spread evenly, with their position among them. */
export function activeOf({ users, active }: Settings): Map<number, number> {
  const count = Math.min(users, active)
  return new Map(Array.from({ length: count }, (_, at) => [Math.floor((at * users) / count), at]))
}

/** Creates `count` items in batches, because a million at once would exhaust memory. */
export async function inBatches(
  count: number,
  make: (index: number) => Promise<void>,
  size = 200,
): Promise<void> {
  for (let start = 0; start < count; start += size) {
    await Promise.all(
      Array.from({ length: Math.min(size, count - start) }, (_, at) => make(start + at)),
    )
  }
}
