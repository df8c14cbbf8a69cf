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

/** Messages to the recovery factor that carry a token. */
export interface FactorMessages {
  /**
   * Sends one after the answer, if there is somebody to send it to: what is answered never tells. The stores are asked the
   * same for everybody.
   */
  request(
    request: FastifyRequest,
    kind: Kind,
    value: string,
    found: () => Promise<Row | null>,
    redirectTo?: string,
  ): void
  /** Sends one to the user that no budget keeps away. */
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
      // The work may be done again when it fails, but is counted once.
      let allowed: boolean | undefined
      outbox.defer(request, async () => {
        const user = await found()
        const isWanted =
          user && users.isActive(user) && !(kind === 'verify_email' && factor.isVerified(user))
        const wanted = isWanted ? user : null
        // Messages that aren't sent don't count. A new password ends earlier messages, so it starts a new count:
        // else an attacker with the password could use up the limit and then end the owner's messages.
        const budget =
          wanted && kind === 'reset_password' ? `${value} ${users.epochOf(wanted)}` : value
        allowed ??= await withinRecipientLimit(kind, wanted ? budget : '')
        if (!wanted || !allowed) return tokens.imitate(purposeOf(kind))
        await send(kind, wanted, value, redirectTo)
      })
    },
  }
}
