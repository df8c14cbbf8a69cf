import { hash, type Options } from '@node-rs/argon2'
import type { FastifyInstance } from 'fastify'
import type { LegacyVerifier, UserId, UserStore, UserValues } from '../../src/index.js'
import { password } from './build.js'
import { Client } from './client.js'

/** Functions that run before and after each compare-and-set, to produce races. */
export interface Around {
  /** Runs before. A boolean replaces the compare-and-set and is its result. */
  readonly before?: (id: UserId, values: UserValues) => Promise<boolean | undefined>
  /** Runs after, before the caller gets the result. */
  readonly after?: (done: boolean) => Promise<void>
}

/** A store whose compare-and-set a test can intercept. */
export interface Interrupted {
  readonly store: UserStore
  /** Set by the test and read on each call. */
  around: Around
  /** The values of all attempts. */
  readonly swaps: UserValues[]
}

export function interrupted(inner: UserStore): Interrupted {
  const swaps: UserValues[] = []
  const store: UserStore = {
    ...inner,
    async compareAndSet(id, expected, values) {
      swaps.push(values)
      const decided = await users.around.before?.(id, values)
      const done = decided ?? (await inner.compareAndSet(id, expected, values))
      await users.around.after?.(done)
      return done
    },
  }
  const users: Interrupted = { store, around: {}, swaps }
  return users
}

/** An argon2id hash with a different cost than `cheap`. */
export const otherHash = (secret = password, options: Options = {}): Promise<string> =>
  hash(secret, { algorithm: 2, memoryCost: 128, timeCost: 2, parallelism: 1, ...options })

/** A verifier for hashes of a legacy system, which are the reversed password. */
export const backwards: LegacyVerifier = {
  matches: (stored) => stored.startsWith('old:'),
  verify: (stored, given) => stored === oldHash(given),
}
export const oldHash = (secret = password): string => `old:${[...secret].reverse().join('')}`

/**
 * A client that is signed in without a password, so that the sign-in rehashes nothing.
 * The app needs `mountHandLogin`.
 */
export async function signedInByHand(app: FastifyInstance, name: string): Promise<Client> {
  const client = new Client(app)
  const response = await client.post(`/by-hand/${name}`)
  if (response.statusCode !== 200) throw new Error(`signing in by hand failed: ${response.body}`)
  client.csrf = response.json().csrf_token
  return client
}

/** Returns a user by username. @throws Error if there is none */
export async function rowOf(
  store: UserStore,
  username: string,
): Promise<Record<string, unknown> & { id: UserId }> {
  const row = await store.findBy('username', username)
  if (!row) throw new Error(`no user is named ${username}`)
  return row as Record<string, unknown> & { id: UserId }
}
