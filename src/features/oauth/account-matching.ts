import type { FastifyRequest } from 'fastify'
import type { Credentials } from '../../core/credentials/credentials.js'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import { canonicalEmail } from '../../core/identity/canonical.js'
import { canonicalValues, type Identity } from '../../core/identity/identity.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { NewAccount } from '../../core/sign-up/new-account.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  DuplicateUserError,
  OAuthEmailMissingError,
  OAuthEmailUnverifiedError,
  OAuthFailedError,
  OAuthProviderAlreadyLinkedError,
  UserValueError,
} from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'
import { usernameBase, usernameFor } from './derive-username.js'
import type { LinkedAccounts } from './linked-accounts.js'
import type { RecentLinks } from './recent-links.js'
import { orDenied } from './refusals.js'

/** Whose account a sign-in at a provider opens. */
export interface OAuthResolution {
  readonly user: Row
  readonly created: boolean
  /** The account was there and has just been linked. */
  readonly linked: boolean
}

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  readonly newAccount: NewAccount
  readonly links: LinkedAccounts
  /** Null where nothing is ever undone: without a way to write to people. */
  readonly recent: RecentLinks | null
  /** Tells the user of the link. Must not wait. */
  readonly linkChanged: Credentials['linkChanged']
  /** Whether the address is reserved for its previous owner. */
  readonly isReserved: (email: string) => Promise<boolean>
  readonly replaceCredential: ReplaceCredential
  /** Sends what verifies an address that the provider does not vouch for. Must not wait. */
  readonly sendVerification: (request: FastifyRequest, user: Row) => void
}

/**
 * Finds or creates the account of a provider profile: by the provider's id, by a verified email, else a new one.
 * @throws a refusal (400) for an unverified email that is somebody's, for none to make an account with, or by the app
 */
export type MatchAccount = (
  request: FastifyRequest,
  provider: string,
  profile: OAuthProfile,
) => Promise<OAuthResolution>

const maxAttempts = 10

export function createMatchAccount(services: Dependencies): MatchAccount {
  const { users, identity, passwords, hooks, emit, newAccount, links } = services
  const { isReserved, replaceCredential, sendVerification, recent, linkChanged } = services
  const hasEmail = users.has('email')
  const knowsVerified = users.has('emailVerified')
  const { recovery } = identity
  const needsEmail = identity.login.includes('email')
  /** What the creator of the account could use to get back in. */
  const otherFactor: UserValues =
    recovery === null || recovery === 'email'
      ? {}
      : {
          [recovery]: null,
          ...(users.has(`${recovery}Verified`) && { [`${recovery}Verified`]: false }),
        }

  /**
   * The owner of the address is here, and the creator of the account never proved it: what the creator set up goes. The
   * links go before the address counts as verified too: were their table to fail after that, nobody would come back for them.
   */
  const takeOver = (request: FastifyRequest, user: Row, provider: string, profile: OAuthProfile) =>
    replaceCredential(user, {
      request,
      held: ['email', ...links.fields, 'emailVerified'],
      values: () => ({
        ...links.valuesFor(provider, profile.id, true),
        hashedPassword: passwords.unusable(),
        emailVerified: true,
        ...otherFactor,
      }),
      removeMethods: { before: true, retry: null },
    })

  /** Null when the row has moved on, or the account was linked elsewhere: to be looked at again. */
  const link = async (
    request: FastifyRequest,
    user: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<OAuthResolution | null> => {
    const isVerified = users.flagOf(user, 'emailVerified', false)
    if (isVerified) await recent?.remember(user, provider, profile.id)
    const changing = isVerified
      ? updateIfUnchanged(users, user, ['email', ...links.fields, 'emailVerified'], () =>
          links.valuesFor(provider, profile.id, false),
        )
      : takeOver(request, user, provider, profile)
    const changed = await changing.catch((error) => {
      if (error instanceof DuplicateUserError) return null
      if (error instanceof UserValueError)
        throw new OAuthFailedError('The account with this email cannot be linked')
      throw error
    })
    if (!changed) return null
    if (!(await links.attach(changed, provider, profile))) return null
    linkChanged(changed, { provider, linked: true }, request)
    return { user: changed, created: false, linked: true }
  }

  /** What a new account holds beside its username. The app is asked once, however often the username has to be changed. */
  const prepare = async (
    request: FastifyRequest,
    provider: string,
    profile: OAuthProfile,
    email: string | null,
  ) => {
    const base = usernameBase(profile.username, profile.name, email?.split('@')[0])
    const nameOf = (attempt: number) =>
      users.has('username') ? { username: usernameFor(base, attempt) } : {}
    const values: UserValues = { ...(hasEmail && { email }), ...nameOf(0) }
    await orDenied(runBefore(() => hooks.onBeforeRegister?.(values, { request })))
    const derived = await orDenied(
      newAccount.derive({ source: 'oauth', request, values, provider, profile }),
    )
    const own = { ...values, ...derived }
    if (needsEmail && (own.email ?? null) === null) throw new OAuthEmailMissingError()
    const hashedPassword = passwords.unusable()
    return (attempt: number): UserValues => {
      const named: UserValues = {
        ...own,
        ...(attempt > 0 && !('username' in derived) && nameOf(attempt)),
      }
      const login = identity.login.filter((field) => (named[field] ?? null) !== null)
      const canonical = canonicalValues({ ...identity, login }, named)
      return newAccount.row({
        ...canonical,
        hashedPassword,
        // The provider vouches for its own address, not for one of the app's making.
        ...(knowsVerified && {
          emailVerified: profile.emailVerified && canonical.email === email,
        }),
        ...links.valuesFor(provider, profile.id, false),
        ...(users.has('oauthCreatedAt') && { oauthCreatedAt: new Date() }),
      })
    }
  }

  const create = async (
    request: FastifyRequest,
    provider: string,
    profile: OAuthProfile,
    row: UserValues,
  ) => {
    let user: Row
    try {
      user = await users.create(row)
    } catch (error) {
      // Somebody else has the name, or this very person has just signed up in another tab.
      if (error instanceof DuplicateUserError) return null
      // Without its cause, which may repeat the value and would be logged with a refusal in JSON.
      if (error instanceof UserValueError) {
        if (error.field === 'email' && (row.email ?? null) === null)
          throw new OAuthEmailMissingError()
        throw new OAuthFailedError('A value cannot be stored')
      }
      throw error
    }
    if (!(await links.attach(user, provider, profile))) return null
    if (!users.flagOf(user, 'emailVerified', false)) sendVerification(request, user)
    await emit('onAfterRegister', { user, source: 'oauth' }, request)
    return { user, created: true, linked: false }
  }

  /** Why an account with the address is not the caller's to enter; null when it is. */
  const refusalOf = async (
    holder: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<Error | null> => {
    if (!profile.emailVerified) return new OAuthEmailUnverifiedError()
    // Inert: nothing of it changes, and the caller refuses it.
    if (!users.isActive(holder)) return null
    // Whoever made it may never have owned the address, and nothing tells: neither in nor out without its own credential.
    if (!knowsVerified) return new OAuthEmailUnverifiedError()
    // Of one that was never verified the link goes with everything else, unless the account has proved another factor: then
    // it is somebody's, and the address may be a stranger's who put it there.
    if (!users.flagOf(holder, 'emailVerified', false)) {
      const isProved =
        recovery !== null &&
        recovery !== 'email' &&
        users.flagOf(holder, `${recovery}Verified`, false)
      return isProved ? new OAuthEmailUnverifiedError() : null
    }
    return (await links.isLinked(holder, provider)) ? new OAuthProviderAlreadyLinkedError() : null
  }

  return async (request, provider, profile) => {
    await orDenied(runBefore(() => hooks.onBeforeOAuth?.(profile, { request, provider })))
    const email = profile.email === null ? null : canonicalEmail(profile.email)
    let rowOf: ((attempt: number) => UserValues) | undefined
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const known = await links.find(provider, profile.id)
      if (known) return { user: known, created: false, linked: false }
      const holder = email === null || !hasEmail ? null : await identity.findBy('email', email)
      if (!holder && email !== null && (await isReserved(email))) {
        throw new OAuthEmailUnverifiedError()
      }
      const refusal = holder && (await refusalOf(holder, provider, profile))
      if (refusal) {
        // This very person may have come in by another tab, between the look-up by id and the one by email.
        const again = await links.find(provider, profile.id)
        if (again) return { user: again, created: false, linked: false }
        throw refusal
      }
      if (holder && !users.isActive(holder)) return { user: holder, created: false, linked: false }
      let resolved: OAuthResolution | null
      if (holder) resolved = await link(request, holder, provider, profile)
      else {
        rowOf ??= await prepare(request, provider, profile, email)
        const row = rowOf(attempt)
        // An address of the app's making may be somebody's too.
        if (typeof row.email === 'string' && row.email !== email) {
          if ((await identity.findBy('email', row.email)) || (await isReserved(row.email)))
            throw new OAuthEmailUnverifiedError()
        }
        const { username } = row
        // Somebody signs in by that name as another of the login fields: the next one is tried.
        const isShadowing = (await identity.shadowing({ username })) !== null
        resolved = isShadowing ? null : await create(request, provider, profile, row)
      }
      if (resolved) return resolved
    }
    throw new OAuthFailedError('Could not create the account; try again')
  }
}
