import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { AllMethods } from '../../core/credentials/sign-in-methods.js'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Outbox, RecipientLimit } from '../../core/delivery/outbox.js'
import { canonicalEmail, malformedValue } from '../../core/identity/canonical.js'
import { type Identity, readCanonical } from '../../core/identity/identity.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { RecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import { rowOf } from '../../core/principal/principal.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  BadRequestError,
  DuplicateError,
  DuplicateUserError,
  NoPasswordError,
  SameEmailError,
  WrongPasswordError,
} from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { Principal } from '../../ports/transport.js'
import type { FormerAddress, Reservations } from './address-reservations.js'
import { freeFromStranger } from './free-address.js'
import type { MayRevert } from './revert-rules.js'

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  readonly tokens: RecoveryTokens
  readonly redeem: Redeem
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  readonly reservations: Reservations
  readonly mayRevert: MayRevert
  readonly seconds: { readonly change: number; readonly revert: number }
  /** Sign-in methods besides the password. */
  readonly methods: AllMethods
  readonly replaceCredential: ReplaceCredential
  /** Sends a password reset link, if the recovery field is the email address. */
  readonly offerReset: (user: Row) => Promise<void>
}

/** Changes the email address of an account, and reverts the change. */
export interface EmailChange {
  /**
   * Sends a token to the new address if it is free. The response is the same either way, which
   * prevents user enumeration.
   * @throws EmailInvalidError, SameEmailError, WrongPasswordError (400), NoPasswordError
   */
  request(
    request: FastifyRequest,
    principal: Principal,
    change: {
      readonly email: string
      readonly password: string
      readonly redirectTo?: string | undefined
    },
  ): Promise<void>
  /**
   * Changes the address. Returns the path where the page continues.
   * @throws TokenInvalidOrUsedError; DuplicateError if the address was taken in the meantime
   */
  confirm(request: FastifyRequest, token: string): Promise<string | undefined>
  /**
   * Restores the former address.
   * @throws TokenInvalidOrUsedError; BadRequestError if it belongs to another account now
   */
  revert(request: FastifyRequest, token: string): Promise<void>
  /**
   * Sends new revert tokens to earlier addresses after a credential change, which ended the old
   * tokens. They are valid for the rest of the original period. Otherwise an attacker with the
   * password could end the owner's tokens by changing it.
   */
  renewRevert(request: FastifyRequest, user: Row): void
}

/** How long after a timeout the database may still apply the write. */
const maxLateMs = 60_000
const onlyDuplicate = (error: unknown): undefined => {
  if (!(error instanceof DuplicateUserError)) throw error
}

export function createEmailChange(services: Dependencies): EmailChange {
  const { users, identity, passwords, hooks, emit, tokens } = services
  const { redeem, outbox, withinRecipientLimit, reservations, seconds, methods } = services
  const emailOf = (user: Row) => readCanonical(users, identity, user, 'email')
  /** An unverified address isn't reserved: anyone could then register it to lock its owner out. */
  const isExclusive = (wasVerified: boolean) => wasVerified || !users.has('emailVerified')
  const verified = (value: boolean) => (users.has('emailVerified') ? { emailVerified: value } : {})
  const sendRevert = async (user: Row, former: FormerAddress, ttlSeconds: number) => {
    const claim = { value: null, next: former.email, wasVerified: former.wasVerified }
    const token = await tokens.issue('revert', user, claim, ttlSeconds)
    outbox.send({
      kind: 'email_changed',
      token,
      user,
      recipient: former.email,
      factor: 'email',
      expiresInSeconds: ttlSeconds,
    })
  }

  /** Reads the current row: it may have changed while a hash was computed. */
  const reread = async (user: Row): Promise<Row | null> => {
    const row = await users.findById(users.idOf(user))
    return row && users.isActive(row) ? row : null
  }

  const renewRevert = (request: FastifyRequest, user: Row) =>
    outbox.alert(request, async () => {
      const row = await reread(user)
      if (!row) return
      for (const { endsAtMs, ...former } of await reservations.of(row)) {
        const ttlSeconds = Math.floor((endsAtMs - Date.now()) / 1000)
        if (ttlSeconds <= 0 || former.email === emailOf(row)) continue
        // An attacker could use up the recipient limit to block the revert, so a verified address
        // is exempt. An unverified one may be a stranger's, who must not be flooded with mail.
        if (!former.wasVerified && !(await withinRecipientLimit('email_changed', former.email)))
          continue
        await sendRevert(row, former, ttlSeconds)
      }
    })

  /**
   * Notifies the former address, even if the account has another address again by then.
   * @param isCertain false if the database timed out: the write may be applied anyway, now or later
   */
  const notifyFormer = (
    request: FastifyRequest,
    user: Row,
    former: FormerAddress,
    isCertain: boolean,
  ) => {
    let allowed: boolean | undefined
    const lateUntilMs = Date.now() + maxLateMs
    outbox.alert(request, async () => {
      const row = await reread(user)
      if (!row) return
      if (emailOf(row) === former.email) {
        if (isCertain || Date.now() > lateUntilMs) return
        throw unavailableError(new Error('It is not known yet whether the address was changed'))
      }
      // Exempt like a revert that is renewed: an attacker could use up the limit.
      allowed ??= former.wasVerified || (await withinRecipientLimit('email_changed', former.email))
      if (allowed) await sendRevert(row, former, seconds.revert)
    })
  }

  const isFree = async (user: Row, email: string) => {
    const [owner, holder, shadowing] = await Promise.all([
      identity.findBy('email', email),
      reservations.holderOf(email),
      identity.conflictingField({ email }, user),
    ])
    if (shadowing !== null) return false
    return owner === null && (holder === null || users.idOf(holder) === users.idOf(user))
  }

  return {
    async request(request, principal, { email: typed, password, redirectTo }) {
      const user = rowOf(principal)
      const email = canonicalEmail(typed)
      if (email === null) throw malformedValue('email')
      if (email === emailOf(user)) throw new SameEmailError()
      const hash = users.hashOf(user)
      if (!passwords.isUsable(hash)) throw new NoPasswordError()
      const { ok } = await passwords.check(hash, password)
      // 400 rather than 401, because front ends written for CRUDAuth expect it.
      if (!ok) throw Object.assign(new WrongPasswordError(), { statusCode: 400 })
      await runBefore(() =>
        hooks.onBeforeEmailChange?.(users.publicView(user), { request, newEmail: email }),
      )
      // Finer than `Date.now()`: two requests can arrive within a millisecond.
      const requestedAtMs = performance.timeOrigin + performance.now()
      let allowed: boolean | undefined
      outbox.defer(request, async () => {
        const free = await isFree(user, email)
        allowed ??= await withinRecipientLimit('change_email', free ? email : '')
        const claim = {
          value: emailOf(user),
          next: email,
          ...(redirectTo !== undefined && { redirectTo }),
        }
        // Also for a taken address, so that timing doesn't reveal it. It also ends the older
        // request.
        const token = await tokens.issue('change', user, claim, seconds.change)
        const isNewest = await tokens.markNewest(
          'change',
          user,
          token,
          seconds.change,
          requestedAtMs,
        )
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
        isStillValid: async (user, claim) =>
          emailOf(user) === claim.value && (await tokens.isNewest('change', token, claim)),
        async work(user, claim) {
          const email = claim.next as string
          const former = claim.value
          const taken = () => new DuplicateError('The email is taken')
          const holder = await reservations.holderOf(email)
          if (holder && users.idOf(holder) !== users.idOf(user)) throw taken()
          const wasVerified = users.flagOf(user, 'emailVerified', false)
          const from = former === null ? null : { email: former, wasVerified }
          // Reserved before the write frees the address, so that nobody can take it in between.
          if (from) await reservations.reserve(user, from, seconds.revert, isExclusive(wasVerified))
          let row: Row | null
          try {
            row = await updateIfUnchanged(users, user, ['email'], () => ({
              email,
              ...verified(true),
            }))
          } catch (error) {
            if (error instanceof DuplicateUserError) throw taken()
            if (from) notifyFormer(request, user, from, false)
            throw error
          }
          if (!row) return null
          if (from) notifyFormer(request, row, from, true)
          await emit(
            'onAfterEmailChanged',
            { user: row, previous: former, reverted: false },
            request,
          )
          return { redirectTo: claim.redirectTo }
        },
      })
      return redirectTo
    },

    async revert(request, token) {
      await redeem('revert', token, {
        isStillValid: services.mayRevert,
        // Regardless of the current address: an attacker may have changed it again.
        async work(user, claim) {
          const email = claim.next as string
          const previous = emailOf(user)
          const write = () =>
            services.replaceCredential(user, {
              request,
              values: () => ({
                email,
                ...verified(claim.wasVerified === true),
                // Whoever changed the address may have linked a provider to get back in.
                ...methods.cleared,
              }),
              removeMethods: {
                before: false,
                factors: false,
                retry: (work) => outbox.alert(request, work),
              },
              async notify(row) {
                await reservations.releaseSince(row, email).catch(() => {})
                // Earlier addresses can still revert: the one who reverts now may be an attacker
                // who has changed the address twice.
                renewRevert(request, row)
                // Whoever changed the address knew the password.
                outbox.alert(request, () => services.offerReset(row))
              },
              emit: (row) =>
                emit('onAfterEmailChanged', { user: row, previous, reverted: true }, request),
            })
          const changed = await write().catch(async (error) => {
            if (!(error instanceof DuplicateUserError)) throw error
            const again = (await freeFromStranger(users, identity, email))
              ? await write().catch(onlyDuplicate)
              : undefined
            if (again !== undefined) return again
            throw new BadRequestError('The address belongs to another account now', {
              cause: error,
            })
          })
          return changed && true
        },
      })
    },

    renewRevert,
  }
}
