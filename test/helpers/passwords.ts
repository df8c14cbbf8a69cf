import { hash, type Options } from '@node-rs/argon2'
import type { FastifyInstance } from 'fastify'
import type { LegacyVerifier, UserId, UserStore, UserValues } from '../../src/index.js'
import { password } from './build.js'
import { Client } from './client.js'

/** What is done around a compare-and-set, where races are decided. */
export interface Around {
  /** Before it; what it returns stands for the result, undefined lets it go on. */
  readonly before?: (id: UserId, values: UserValues) => Promise<boolean | undefined>
  /** After it, before the caller knows. */
  readonly after?: (done: boolean) => Promise<void>
}

/** A store whose compare-and-sets can be come in between. */
export interface Interrupted {
  readonly store: UserStore
  /** Read at each; set by the test. */
  around: Around
  /** Values of all that were tried. */
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

/** A hash of argon2id with another cost than `cheap`. */
export const otherHash = (secret = password, options: Options = {}): Promise<string> =>
  hash(secret, { algorithm: 2, memoryCost: 128, timeCost: 2, parallelism: 1, ...options })

/** Hashes of a system before this one: the password backwards. */
export const backwards: LegacyVerifier = {
  matches: (stored) => stored.startsWith('old:'),
  verify: (stored, given) => stored === oldHash(given),
}
export const oldHash = (secret = password): string => `old:${[...secret].reverse().join('')}`

/** A client signed in without its password, which therefore replaces no hash; the app has `mountHandLogin`. */
export async function signedInByHand(app: FastifyInstance, name: string): Promise<Client> {
  const client = new Client(app)
  const response = await client.post(`/by-hand/${name}`)
  if (response.statusCode !== 200) throw new Error(`signing in by hand failed: ${response.body}`)
  client.csrf = response.json().csrf_token
  return client
}

/** A row of the store by its username; the test fails without it. */
export async function rowOf(
  store: UserStore,
  username: string,
): Promise<Record<string, unknown> & { id: UserId }> {
  const row = await store.findBy('username', username)
  if (!row) throw new Error(`there is no ${username}`)
  return row as Record<string, unknown> & { id: UserId }
}
