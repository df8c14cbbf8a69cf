import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { AllMethods } from '../../core/credentials/sign-in-methods.js'
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
  /** Sign-in methods besides the password. */
  readonly methods: AllMethods
  readonly replaceCredential: ReplaceCredential
  /** Tells the user that the password was changed. Must not wait. */
  readonly passwordChanged: (user: Row, request: FastifyRequest) => void
}

/** Password reset with a token sent to the recovery field. */
export interface PasswordReset {
  /**
   * Sends a reset token, if there is a recipient. The response is the same either way, which
   * prevents user enumeration.
   */
  request(request: FastifyRequest, value: string, redirectTo?: string): void
  /**
   * Sets the password. Returns the path where the page continues.
   * @throws TokenInvalidOrUsedError; BadRequestError for an unacceptable password
   */
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
  /**
   * Whoever proves a recovery field that was never verified may not be who registered the account
   * (account pre-hijacking). What the creator set up is removed.
   */
  const isFirstVerification = (user: Row) => verifiedField !== null && !factor.isVerified(user)
  const verified = (row: Row, others: UserValues): UserValues =>
    verifiedField === null
      ? {}
      : {
          [verifiedField]: true,
          ...(isFirstVerification(row) && {
            ...methods.cleared,
            ...(hasOwner(row) ? {} : methods.clearedFactors),
            ...others,
          }),
        }
  /**
   * Other identifiers that can be verified. They are cleared if they aren't: a creator who set
   * their own address could get back in through a provider that vouches for it.
   */
  const unproved = ['email', 'phone'].filter(
    (name) => name !== field && users.has(name) && users.has(`${name}Verified`),
  )
  /** Whether someone has verified another identifier: the second factor is theirs. */
  const hasOwner = (row: Row): boolean =>
    unproved.some((name) => users.flagOf(row, `${name}Verified`, false))
  const clearUnverified = (row: Row): UserValues =>
    Object.fromEntries(
      unproved
        .filter((name) => !users.flagOf(row, `${name}Verified`, false))
        .map((name) => [name, null]),
    )
  /**
   * For an email column that must not be null. `.invalid` is never a mailbox (RFC 2606), and the
   * random part keeps the address unique.
   */
  const replaced = (row: Row): UserValues =>
    'email' in clearUnverified(row)
      ? { ...clearUnverified(row), email: `gone-${randomToken(16).toLowerCase()}@account.invalid` }
      : {}

  return {
    request: (request, value, redirectTo) =>
      messages.request(request, 'reset_password', value, () => factor.find(value), redirectTo),

    async confirm(request, token, password) {
      const { redirectTo } = await redeem('reset', token, {
        isStillValid: (user, claim) => factor.read(user) === claim.value,
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
              unchangedFields: [field, ...unproved],
              values: (row) => ({ hashedPassword, ...verified(row, othersOf(row)) }),
              removeMethods: isFirstVerification(user)
                ? {
                    before: true,
                    factors: !hasOwner(user),
                    retry: (work) => outbox.alert(request, work),
                  }
                : undefined,
              notify: (row) => passwordChanged(row, request),
              emit: (row) => emit('onAfterPasswordReset', { user: row }, request),
            })
          const changed = await replace(clearUnverified).catch((error) => {
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
