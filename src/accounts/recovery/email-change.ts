import type { FastifyRequest } from 'fastify'
import { BadRequestError, DuplicateError, DuplicateUserError } from '../../errors.js'
import type { Emit } from '../../events.js'
import type { Principal } from '../../ports/transport.js'
import { unavailable } from '../../retry.js'
import { canonicalEmail, type Identity, malformedValue } from '../identity.js'
import type { Passwords } from '../passwords.js'
import { encodeUserId } from '../user-id.js'
import type { Row, Users } from '../users.js'
import { type Outbox, type RecipientBudget, readCanonical } from './factor.js'
import { type Redeem, writeWhile } from './redeem.js'
import type { Reservations } from './reservations.js'
import type { RecoveryTokens } from './tokens.js'

interface Services {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly emit: Emit
  readonly tokens: RecoveryTokens
  readonly redeem: Redeem
  readonly outbox: Outbox
  readonly withinBudget: RecipientBudget
  readonly reservations: Reservations
  readonly seconds: { readonly change: number; readonly revert: number }
  /** Sends what sets another password, where that goes to the email. */
  readonly offerReset: (user: Row) => Promise<void>
  /** Ends the user's sessions and refresh tokens. */
  readonly endAll: (user: Row) => Promise<void>
}

/** Moving an account to another address, and back. */
export interface EmailChange {
  /**
   * Sends a token to the new address, if it is free: what is answered never tells.
   * @throws BadRequestError for no address, the present one, a wrong password, or an account without one
   */
  request(
    request: FastifyRequest,
    principal: Principal,
    change: { readonly email: string; readonly password: string; readonly redirectTo?: string | undefined },
  ): Promise<void>
  /** Returns where the page goes on. @throws TokenInvalidOrUsedError; DuplicateError when the address was taken meanwhile */
  confirm(request: FastifyRequest, token: string): Promise<string | undefined>
  /** @throws TokenInvalidOrUsedError; BadRequestError when the old address is another account's by now */
  revert(request: FastifyRequest, token: string): Promise<void>
  /**
   * After another credential, which ended the tokens that the holders of earlier addresses were sent: sends others for the
   * rest of their time. Else whoever took the account over by its password would end them by changing that.
   */
  renewRevert(request: FastifyRequest, user: Row): void
}

/** How long a database may take to do what it was asked for and did not answer in time. */
const maxLateMs = 60_000

export function createEmailChange(services: Services): EmailChange {
  const { users, identity, passwords, emit, tokens, redeem, outbox, withinBudget, reservations, seconds } = services
  const emailOf = (user: Row) => readCanonical(users, identity, user, 'email')
  /** What nobody ever proved is held for nobody: else who registers with a stranger's address and moves on keeps its owner out. */
  const isHeld = (wasVerified: boolean) => wasVerified || !users.has('emailVerified')
  const verified = (value: boolean) => (users.has('emailVerified') ? { emailVerified: value } : {})

  const sendRevert = async (user: Row, former: { email: string; wasVerified: boolean }, ttlSeconds: number) => {
    const claim = { value: null, next: former.email, wasVerified: former.wasVerified }
    const token = await tokens.issue('revert', user, claim, ttlSeconds)
    outbox.send({ kind: 'email_changed', token, user, recipient: former.email, factor: 'email', expiresInSeconds: ttlSeconds })
  }

  /** As it is now: what was read before a hash was computed may have been moved on meanwhile. */
  const reread = async (user: Row): Promise<Row | null> => {
    const row = await users.findById(users.idOf(user))
    return row && users.isActive(row) ? row : null
  }

  const renewRevert = (request: FastifyRequest, user: Row) =>
    outbox.defer(request, async () => {
      const row = await reread(user)
      if (!row) return
      for (const { endsAtMs, ...former } of await reservations.of(row)) {
        const ttlSeconds = Math.floor((endsAtMs - Date.now()) / 1000)
        if (ttlSeconds > 0 && former.email !== emailOf(row)) await sendRevert(row, former, ttlSeconds)
      }
    })

  /**
   * Tells the former address of the move, wherever the account has been moved on to meanwhile.
   * @param isCertain false when the database answered too late: it may have done it all the same, or do it yet
   */
  const tellFormer = (
    request: FastifyRequest,
    user: Row,
    former: { email: string; wasVerified: boolean },
    isCertain: boolean,
  ) => {
    let allowed: boolean | undefined
    const lateUntilMs = Date.now() + maxLateMs
    outbox.defer(request, async () => {
      const row = await reread(user)
      if (!row) return
      if (emailOf(row) === former.email) {
        if (isCertain || Date.now() > lateUntilMs) return
        throw unavailable(new Error('Whether the account was moved is not known yet'))
      }
      allowed ??= await withinBudget('email_changed', former.email)
      if (allowed) await sendRevert(row, former, seconds.revert)
    })
  }

  const isFree = async (user: Row, email: string) => {
    const [owner, holder] = await Promise.all([identity.findBy('email', email), reservations.holderOf(email)])
    return owner === null && (holder === null || holder === encodeUserId(users.idOf(user)))
  }

  return {
    async request(request, { user }, { email: typed, password, redirectTo }) {
      const email = canonicalEmail(typed)
      if (email === null) throw new BadRequestError(malformedValue('email'))
      if (email === emailOf(user)) throw new BadRequestError('That is the address of the account already')
      const hash = users.hashOf(user)
      if (!passwords.isUsable(hash)) throw new BadRequestError('The account has no password yet; set one first')
      const { ok } = await passwords.check(hash, password)
      if (!ok) throw new BadRequestError('The password is wrong')
      const requestedAtMs = Date.now()
      let allowed: boolean | undefined
      outbox.defer(request, async () => {
        const free = await isFree(user, email)
        allowed ??= await withinBudget('change_email', free ? email : '')
        const claim = { value: emailOf(user), next: email, ...(redirectTo !== undefined && { redirectTo }) }
        // For an address that is taken as well, so that the work is the same and the older request ends.
        const token = await tokens.issue('change', user, claim, seconds.change)
        const isNewest = await tokens.markNewest('change', user, token, seconds.change, requestedAtMs)
        if (!free || !allowed || !isNewest) return
        outbox.send({
          kind: 'change_email',
          token,
          user,
          recipient: email,
          factor: 'email',
          expiresInSeconds: seconds.change,
          ...(redirectTo !== undefined && { redirectTo }),
        })
      })
    },

    async confirm(request, token) {
      const { redirectTo } = await redeem('change', token, {
        holds: async (user, claim) => emailOf(user) === claim.value && (await tokens.isNewest('change', token, claim)),
        async work(user, claim) {
          const email = claim.next as string
          const former = claim.value
          const taken = () => new DuplicateError('The email is taken')
          const holder = await reservations.holderOf(email)
          if (holder !== null && holder !== claim.user) throw taken()
          const wasVerified = users.flagOf(user, 'emailVerified', false)
          const held = former === null ? null : { email: former, wasVerified }
          // Before the address is free, and not after it.
          if (held && isHeld(wasVerified)) await reservations.hold(user, held, seconds.revert)
          let row: Row | null
          try {
            row = await writeWhile(users, user, ['email'], () => ({ email, ...verified(true) }))
          } catch (error) {
            if (error instanceof DuplicateUserError) throw taken()
            if (held) tellFormer(request, user, held, false)
            throw error
          }
          if (!row) return null
          if (held) tellFormer(request, row, held, true)
          await emit('onAfterEmailChanged', { user: row, previous: former, reverted: false }, request)
          return { redirectTo: claim.redirectTo }
        },
      })
      return redirectTo
    },

    async revert(request, token) {
      await redeem('revert', token, {
        // Without an epoch to end them, tokens of addresses left later than one that was gone back to are told by that.
        holds: async (user, claim) =>
          users.has('tokenVersion') ||
          !isHeld(claim.wasVerified === true) ||
          (await reservations.of(user)).some(({ email }) => email === claim.next),
        // Whatever the address is by now: whoever took the account over may have moved it on.
        async work(user, claim) {
          const email = claim.next as string
          const previous = emailOf(user)
          let changed: Row | null
          try {
            changed = await writeWhile(users, user, [], (row) => ({
              email,
              ...verified(claim.wasVerified === true),
              ...(users.has('tokenVersion') && { tokenVersion: users.versionOf(row) + 1 }),
            }))
          } catch (error) {
            if (error instanceof DuplicateUserError)
              throw new BadRequestError('The address belongs to another account by now', { cause: error })
            throw error
          }
          if (!changed) return null
          await services.endAll(changed)
          await reservations.releaseSince(changed, email).catch(() => {})
          // Those who had an earlier address keep their way back: it may be the thief who takes a second move back.
          renewRevert(request, changed)
          // Whoever moved the account knew its password.
          const back = changed
          outbox.defer(request, () => services.offerReset(back))
          await emit('onAfterEmailChanged', { user: changed, previous, reverted: true }, request)
          return true
        },
      })
    },

    renewRevert,
  }
}
