import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { AuthenticatedPrincipal, rowOf } from '../../core/principal/principal.js'
import type { PasskeyRequest } from '../../core/sign-in/passkey-factor.js'
import { accountView } from '../../core/users/account-view.js'
import type { Row, Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import { DuplicateError, PasskeyInvalidError } from '../../errors.js'
import type { Passkey } from '../../ports/passkey-store.js'
import type { Principal } from '../../ports/transport.js'
import type { PasskeyChallenges } from './challenges.js'
import type { PasskeyEvents } from './events.js'
import type { StoredPasskeys } from './stored-passkeys.js'
import type { WebAuthn } from './webauthn.js'

/** Adds passkeys to the account of a signed-in user. */
export interface PasskeyRegistration {
  /** @throws DuplicateError (409) if the account has as many as it may */
  begin(
    request: FastifyRequest,
    principal: Principal,
    name: string | undefined,
  ): Promise<PasskeyRequest>
  /** @throws PasskeyInvalidError (400); DuplicateError (409) */
  finish(
    request: FastifyRequest,
    principal: Principal,
    answer: {
      readonly challenge_id: string
      readonly response: unknown
      readonly name?: string | undefined
    },
  ): Promise<Passkey>
}

interface Dependencies {
  readonly users: Users
  readonly passkeys: StoredPasskeys
  readonly challenges: PasskeyChallenges
  readonly webauthn: WebAuthn
  readonly events: PasskeyEvents
  readonly maxPerUser: number
}

const defaultName = 'Passkey'

/** Tries to take the last free place while other requests do the same. */
const maxAttempts = 8

const full = () => new DuplicateError('The account has as many passkeys as it may have')

export function createPasskeyRegistration({
  users,
  passkeys,
  challenges,
  webauthn,
  events,
  maxPerUser,
}: Dependencies): PasskeyRegistration {
  const { store } = passkeys

  /**
   * Adds the passkey unless the account would have too many. Counting and adding are two steps, so
   * whoever sees too many takes their own back: there are never too many, and after a moment of
   * waiting one of several requests gets the last place.
   */
  const add = async (user: Row, passkey: Passkey): Promise<void> => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if ((await passkeys.list(user)).length >= maxPerUser) throw full()
      if (!(await store.create(passkey)))
        throw new DuplicateError('The passkey is registered already')
      if ((await passkeys.list(user)).length <= maxPerUser) return
      await store.delete(passkey.userId, passkey.id, false)
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
    throw full()
  }

  /** Returns the row as it is then. */
  const addChecked = async (user: Row, passkey: Passkey, epoch: string): Promise<Row> => {
    await add(user, passkey)
    // The account may have been taken over in the meantime, by an owner whose passkeys were removed
    // before this one was there.
    const now = await users.findById(passkey.userId)
    if (now && users.isActive(now) && users.epochOf(now) === epoch) return now
    throw new PasskeyInvalidError()
  }

  return {
    async begin(request, principal, name) {
      const user = rowOf(principal)
      const known = await passkeys.list(user)
      if (known.length >= maxPerUser) throw full()
      const challenge = randomToken()
      // One handle for all passkeys of an account, so that an authenticator knows its accounts.
      const userHandle = known[0]?.userHandle ?? randomToken()
      const { id, email, username } = accountView(users, user)
      const userName = username ?? email ?? String(id)
      const [challenge_id, options] = await Promise.all([
        challenges.begin(request, {
          purpose: 'register',
          user: users.referenceOf(user),
          of: bindingOf(principal),
          challenge,
          userHandle,
          name: name?.trim(),
          epoch: users.epochOf(user),
        }),
        webauthn.creationOptions({
          challenge,
          userHandle,
          userName: email ?? userName,
          displayName: userName,
          known,
        }),
      ])
      return { challenge_id, options }
    },

    async finish(request, principal, { challenge_id, response, name }) {
      const user = rowOf(principal)
      const epoch = users.epochOf(user)
      const challenge = await challenges.take(challenge_id, {
        purpose: 'register',
        user: users.referenceOf(user),
        of: bindingOf(principal),
      })
      if (!challenge?.userHandle || challenge.epoch !== epoch) throw new PasskeyInvalidError()
      const credential = await webauthn.readRegistration(challenge, response)
      if (!credential) throw new PasskeyInvalidError()
      const passkey: Passkey = {
        ...credential,
        id: randomToken(16),
        userId: users.idOf(user),
        userHandle: challenge.userHandle,
        name: name?.trim() ?? challenge.name ?? defaultName,
        createdAt: new Date(),
        lastUsedAt: null,
      }
      const now = await addChecked(user, passkey, epoch).catch(async (error) => {
        // Nobody is told of it, and nothing is known about the account: it must not stay.
        await Promise.allSettled([store.delete(passkey.userId, passkey.id, false)])
        throw error
      })
      await events.added(now, passkey, request)
      return passkey
    },
  }
}

/**
 * What a registration belongs to: the session, or for other credentials the sign-in. A token that was
 * refreshed in between is of the same sign-in.
 */
const bindingOf = (principal: Principal): string =>
  principal.sessionId === undefined
    ? `${principal.transport} ${AuthenticatedPrincipal.authenticatedAtMs(principal)}`
    : `session ${principal.sessionId}`
