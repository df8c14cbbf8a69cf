import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import type { Outbox } from '../../core/delivery/outbox.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { Row, Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import { UserValueError } from '../../errors.js'
import type { Emit } from '../../events.js'
import type { UserValues } from '../../ports/user-store.js'
import type { FactorMessages } from './factor-messages.js'
import type { Factor } from './recovery-factor.js'

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly emit: Emit
  readonly factor: Factor
  readonly messages: FactorMessages
  readonly redeem: Redeem
  readonly outbox: Outbox
  /** Sign-in methods beside the password. */
  readonly methods: SignInMethods
  readonly replaceCredential: ReplaceCredential
  /** Tells the user of a new password. Must not wait. */
  readonly passwordChanged: (user: Row, request: FastifyRequest) => void
}

/** Setting a forgotten password by the recovery factor. */
export interface PasswordReset {
  /** Sends a token that sets a password, if there is somebody to send it to: what is answered never tells. */
  request(request: FastifyRequest, value: string, redirectTo?: string): void
  /** Returns where the page goes on. @throws TokenInvalidOrUsedError, BadRequestError for a password that is not acceptable */
  confirm(request: FastifyRequest, token: string, password: string): Promise<string | undefined>
}

export function createPasswordReset({
  users,
  passwords,
  policy,
  emit,
  factor,
  messages,
  redeem,
  outbox,
  methods,
  replaceCredential,
  passwordChanged,
}: Dependencies): PasswordReset {
  const { field, verifiedField } = factor
  /** Whoever proves the factor of an account that never was verified may not be who made it: what that one set up goes. */
  const isFirstProof = (user: Row) => verifiedField !== null && !factor.isVerified(user)
  const verified = (row: Row, others: UserValues): UserValues =>
    verifiedField === null
      ? {}
      : { [verifiedField]: true, ...(isFirstProof(row) && { ...methods.cleared, ...others }) }
  /**
   * Identifiers that the creator of the account gave besides the factor and never verified: with an address of its own it would come
   * back, at a provider that vouches for it.
   */
  const unproved = ['email', 'phone'].filter(
    (name) => name !== field && users.has(name) && users.has(`${name}Verified`),
  )
  const emptied = (row: Row): UserValues =>
    Object.fromEntries(
      unproved
        .filter((name) => !users.flagOf(row, `${name}Verified`, false))
        .map((name) => [name, null]),
    )
  /** For a column that must not be empty. Never a mailbox (RFC 2606), and no other account's. */
  const replaced = (row: Row): UserValues =>
    'email' in emptied(row)
      ? { email: `gone-${randomToken(16).toLowerCase()}@account.invalid` }
      : {}

  return {
    request: (request, value, redirectTo) =>
      messages.request(request, 'reset_password', value, () => factor.find(value), redirectTo),

    async confirm(request, token, password) {
      const { redirectTo } = await redeem('reset', token, {
        holds: (user, claim) => factor.read(user) === claim.value,
        judge: (user) =>
          policy(password, {
            email: users.read(user, 'email') as string | null | undefined,
            username: users.read(user, 'username') as string | null | undefined,
          }),
        async work(user, claim) {
          const hashedPassword = await passwords.hash(password)
          const replace = (othersOf: (row: Row) => UserValues) =>
            replaceCredential(user, {
              request,
              held: [field, ...unproved],
              values: (row) => ({ hashedPassword, ...verified(row, othersOf(row)) }),
              removeMethods: isFirstProof(user)
                ? { before: true, retry: (work) => outbox.alert(request, work) }
                : undefined,
              notify: (row) => passwordChanged(row, request),
              emit: (row) => emit('onAfterPasswordReset', { user: row }, request),
            })
          const changed = await replace(emptied).catch((error) => {
            if (!(error instanceof UserValueError)) throw error
            return replace(replaced)
          })
          return changed && { redirectTo: claim.redirectTo }
        },
      })
      return redirectTo
    },
  }
}
