import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import type { Outbox } from '../../core/delivery/outbox.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { Row, Users } from '../../core/users/users.js'
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
  const verified = (row: Row): UserValues =>
    verifiedField === null
      ? {}
      : { [verifiedField]: true, ...(isFirstProof(row) && methods.cleared) }

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
          const changed = await replaceCredential(user, {
            request,
            held: [field],
            values: (row) => ({ hashedPassword, ...verified(row) }),
            removeMethods: isFirstProof(user)
              ? { before: true, retry: (work) => outbox.alert(request, work) }
              : undefined,
            notify: (row) => passwordChanged(row, request),
            emit: (row) => emit('onAfterPasswordReset', { user: row }, request),
          })
          return changed && { redirectTo: claim.redirectTo }
        },
      })
      return redirectTo
    },
  }
}
