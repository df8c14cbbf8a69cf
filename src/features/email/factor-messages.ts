import type { FastifyRequest } from 'fastify'
import type { Outbox, RecipientLimit } from '../../core/delivery/outbox.js'
import type { RecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import type { Row, Users } from '../../core/users/users.js'
import type { Factor } from './recovery-factor.js'

interface Dependencies {
  readonly users: Users
  readonly factor: Factor
  readonly tokens: RecoveryTokens
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  readonly seconds: { readonly verify: number; readonly reset: number }
}

type Kind = 'verify_email' | 'reset_password'

const purposeOf = (kind: Kind) => (kind === 'verify_email' ? 'verify' : 'reset')

/** Messages with a token, sent to the recovery field. */
export interface FactorMessages {
  /**
   * Sends a message after the response, if there is a recipient. The response and the store calls
   * are the same for every value, which prevents user enumeration.
   */
  request(
    request: FastifyRequest,
    kind: Kind,
    value: string,
    found: () => Promise<Row | null>,
    redirectTo?: string,
  ): void
  /** Sends a message without counting it against the recipient limit. */
  send(kind: Kind, user: Row, value: string, redirectTo?: string): Promise<void>
}

export function createFactorMessages({
  users,
  factor,
  tokens,
  outbox,
  withinRecipientLimit,
  seconds,
}: Dependencies): FactorMessages {
  const send: FactorMessages['send'] = async (kind, user, value, redirectTo) => {
    const expiresInSeconds = seconds[purposeOf(kind)]
    const path = redirectTo === undefined ? {} : { redirectTo }
    const token = await tokens.issue(purposeOf(kind), user, { value, ...path }, expiresInSeconds)
    outbox.send({
      kind,
      token,
      user,
      recipient: value,
      factor: factor.field,
      expiresInSeconds,
      ...path,
    })
  }

  return {
    send,
    request(request, kind, value, found, redirectTo) {
      // The work is retried when it fails, but counts once.
      let allowed: boolean | undefined
      outbox.defer(request, async () => {
        const user = await found()
        const isWanted =
          user && users.isActive(user) && !(kind === 'verify_email' && factor.isVerified(user))
        const wanted = isWanted ? user : null
        // Unsent messages don't count. A new password ends earlier tokens, so it starts a new
        // count. Otherwise an attacker with the password could use up the limit, then end the
        // owner's tokens.
        const budget =
          wanted && kind === 'reset_password' ? `${value} ${users.epochOf(wanted)}` : value
        allowed ??= await withinRecipientLimit(kind, wanted ? budget : '')
        if (!wanted || !allowed) return tokens.imitate(purposeOf(kind))
        await send(kind, wanted, value, redirectTo)
      })
    },
  }
}
