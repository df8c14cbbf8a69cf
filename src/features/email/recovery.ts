import type { FastifyRequest } from 'fastify'
import { type SignInMethods, sweepLinks } from '../../core/credentials/sign-in-methods.js'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Outbox, RecipientLimit } from '../../core/delivery/outbox.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { RecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { Row, Users } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import type { UserValues } from '../../ports/user-store.js'
import type { Factor } from './recovery-factor.js'

interface Services {
  readonly users: Users
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly emit: Emit
  readonly factor: Factor
  readonly tokens: RecoveryTokens
  readonly redeem: Redeem
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  readonly links: SignInMethods
  readonly seconds: { readonly verify: number; readonly reset: number }
  /** Ends the user's sessions and refresh tokens. */
  readonly endAll: (user: Row) => Promise<void>
  /** Tells the user of a new password. */
  readonly passwordChanged: (user: Row, request: FastifyRequest) => void
}

/** Proving a recovery factor, and setting a password by it. */
export interface Recovery {
  /** Sends a token that verifies the factor, if there is somebody to send it to: what is answered never tells. */
  requestVerification(request: FastifyRequest, value: string, redirectTo?: string): void
  /** As `requestVerification`, for an account just made. */
  welcome(request: FastifyRequest, user: Row): void
  /** Returns where the page goes on. @throws TokenInvalidOrUsedError */
  verify(request: FastifyRequest, token: string): Promise<string | undefined>
  /** Sends a token that sets a password, if there is somebody to send it to: what is answered never tells. */
  requestReset(request: FastifyRequest, value: string, redirectTo?: string): void
  /** Sends a token that sets a password to whoever went back to an earlier address; no budget keeps it away. */
  offerReset(user: Row): Promise<void>
  /** Returns where the page goes on. @throws TokenInvalidOrUsedError, BadRequestError for a password that is not acceptable */
  reset(request: FastifyRequest, token: string, password: string): Promise<string | undefined>
}

export function createRecovery(services: Services): Recovery {
  const {
    users,
    passwords,
    policy,
    emit,
    factor,
    tokens,
    redeem,
    outbox,
    withinRecipientLimit,
    seconds,
    links,
  } = services
  const { field, verifiedField } = factor
  const factorOf = factor.read
  const isVerified = (user: Row) =>
    verifiedField !== null && users.flagOf(user, verifiedField, false)

  /** The same work in the stores for everybody. May be done again when it fails, but is counted once. */
  const request = (
    kind: 'verify_email' | 'reset_password',
    value: string,
    found: () => Promise<Row | null>,
    redirectTo: string | undefined,
  ) => {
    const purpose = kind === 'verify_email' ? 'verify' : 'reset'
    let allowed: boolean | undefined
    return async () => {
      const user = await found()
      const wanted =
        user && users.isActive(user) && !(purpose === 'verify' && isVerified(user)) ? user : null
      // What goes to nobody costs nobody's budget. Another password, which ends what was sent before, has a budget of its own:
      // else whoever knows the password could use the budget up and then end what its owner was sent.
      const budget = wanted && purpose === 'reset' ? `${value} ${users.epochOf(wanted)}` : value
      allowed ??= await withinRecipientLimit(kind, wanted ? budget : '')
      if (!wanted || !allowed) return tokens.imitate(purpose)
      await send(kind, wanted, value, redirectTo)
    }
  }

  const send = async (
    kind: 'verify_email' | 'reset_password',
    user: Row,
    value: string,
    redirectTo?: string,
  ) => {
    const purpose = kind === 'verify_email' ? 'verify' : 'reset'
    const expiresInSeconds = seconds[purpose]
    const landing = redirectTo === undefined ? {} : { redirectTo }
    const token = await tokens.issue(purpose, user, { value, ...landing }, expiresInSeconds)
    outbox.send({
      kind,
      token,
      user,
      recipient: value,
      factor: field,
      expiresInSeconds,
      ...landing,
    })
  }

  /** Whoever proves the factor of an account that never was verified may not be who made it: what that one set up goes. */
  const othersWaysIn = (user: Row): UserValues =>
    verifiedField === null || isVerified(user) ? {} : links.cleared

  return {
    requestVerification(httpRequest, value, redirectTo) {
      outbox.defer(
        httpRequest,
        request('verify_email', value, () => factor.find(value), redirectTo),
      )
    },

    welcome(httpRequest, user) {
      const value = factorOf(user)
      if (verifiedField === null || value === null) return
      outbox.defer(
        httpRequest,
        request('verify_email', value, async () => user, undefined),
      )
    },

    async verify(httpRequest, token) {
      return redeem('verify', token, {
        holds: (user, claim) =>
          factorOf(user) === claim.value && verifiedField !== null && !isVerified(user),
        async work(user, claim) {
          const fields = [field, verifiedField as string]
          const verified = await updateIfUnchanged(users, user, fields, () => ({
            [verifiedField as string]: true,
          }))
          if (!verified) return null
          await emit('onAfterRecoveryVerified', { user: verified, factor: field }, httpRequest)
          return { redirectTo: claim.redirectTo }
        },
      }).then(({ redirectTo }) => redirectTo)
    },

    requestReset(httpRequest, value, redirectTo) {
      outbox.defer(
        httpRequest,
        request('reset_password', value, () => factor.find(value), redirectTo),
      )
    },

    async offerReset(user) {
      const value = factorOf(user)
      if (value !== null && users.isActive(user)) await send('reset_password', user, value)
    },

    async reset(httpRequest, token, password) {
      return redeem('reset', token, {
        holds: (user, claim) => factorOf(user) === claim.value,
        judge: (user) =>
          policy(password, {
            email: users.read(user, 'email') as string | null | undefined,
            username: users.read(user, 'username') as string | null | undefined,
          }),
        async work(user, claim) {
          const hashedPassword = await passwords.hash(password)
          const isFirstProof = verifiedField !== null && !isVerified(user)
          // Before and after: what is added in between would outlive the one, and an outage the other.
          if (isFirstProof) await links.detachAll(user)
          const changed = await updateIfUnchanged(users, user, [field], (row) => ({
            hashedPassword,
            ...(users.has('tokenVersion') && { tokenVersion: users.versionOf(row) + 1 }),
            ...(verifiedField !== null && { [verifiedField]: true }),
            ...othersWaysIn(row),
          }))
          if (!changed) return null
          if (isFirstProof) await sweepLinks(links, outbox, httpRequest, changed)
          await services.endAll(changed)
          // Before the hook, which may take its time.
          services.passwordChanged(changed, httpRequest)
          await emit('onAfterPasswordReset', { user: changed }, httpRequest)
          return { redirectTo: claim.redirectTo }
        },
      }).then(({ redirectTo }) => redirectTo)
    },
  }
}
