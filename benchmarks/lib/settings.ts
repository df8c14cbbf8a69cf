/** What the harness tells a server about its surroundings. */
export interface Settings {
  /** Of the run's private Redis. */
  readonly redisUrl: string
  /** A folder for this server alone. */
  readonly folder: string
  /** How many users there are, each with one session. */
  readonly users: number
  /** How many of them the load comes from, spread evenly over all. */
  readonly active: number
  /** How many more there are that have no session and sign in. A sign-in may end a session, and not one under load. */
  readonly signIns: number
}

/** One request and the answer it must get. */
export interface Case {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Members that the JSON answer must have. */
  readonly expect: Readonly<Record<string, unknown>>
}

/** What a server can be asked for, each a list of cases. */
export type Cases = Readonly<Record<string, readonly Case[]>>

/** `profile` begins one, or ends the one under way and writes it to the server's folder as `server.cpuprofile`. */
export type Question = { readonly ask: 'cpu' | 'heap' | 'profile' }

/** Processor time in microseconds of all threads, or the bytes of the heap after collecting garbage; 0 of a profile. */
export type Answer = { readonly answer: number }

export type Ready = { readonly port: number; readonly cases: Cases }

/** The active ones among `count`, spread evenly. */
export const activeOf = ({ users, active }: Settings): number[] => {
  const count = Math.min(users, active)
  return Array.from({ length: count }, (_, at) => Math.floor((at * users) / count))
}

/** `users` items made in batches, so that a million of them keep neither the event loop nor memory. */
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
