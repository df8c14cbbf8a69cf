import type { FastifyRequest } from 'fastify'
import type { Credentials } from '../../core/credentials/credentials.js'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { AllMethods } from '../../core/credentials/sign-in-methods.js'
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

/** The account that a sign-in with a provider resolves to. */
export interface OAuthResolution {
  readonly user: Row
  readonly created: boolean
  /** The account already existed and has just been linked. */
  readonly linked: boolean
}

/** Links an existing account whose address the provider vouches for. @throws OAuthFailedError */
export type LinkAccount = (
  request: FastifyRequest,
  user: Row,
  provider: string,
  profile: OAuthProfile,
) => Promise<Row>

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly passwords: Passwords
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  readonly newAccount: NewAccount
  readonly links: LinkedAccounts
  readonly methods: AllMethods
  /** Null without delivery: links can't be undone then. */
  readonly recent: RecentLinks | null
  /** Tells the user that a provider was linked. Must not wait. */
  readonly linkChanged: Credentials['notifyLinkChanged']
  /** Whether the address is reserved for its previous owner. */
  readonly isReserved: (email: string) => Promise<boolean>
  readonly replaceCredential: ReplaceCredential
  /** Sends a verification link, if the provider doesn't vouch for the address. Must not wait. */
  readonly sendVerification: (request: FastifyRequest, user: Row) => void
}

/**
 * Finds or creates the account of a profile: by the provider id, by a verified email, otherwise a
 * new account.
 * @throws a refusal (400) for an unverified email of another account, for a missing email that an
 * account needs, or by a hook
 */
export type MatchAccount = (
  request: FastifyRequest,
  provider: string,
  profile: OAuthProfile,
  /** Whether an account must be linked only after its second factor. Default: never. */
  guards?: (user: Row) => Promise<boolean>,
) => Promise<OAuthResolution & { readonly awaitsFactor?: true }>

const maxAttempts = 10

export function createAccountMatching(services: Dependencies) {
  const { users, identity, passwords, hooks, emit, newAccount, links } = services
  const { isReserved, replaceCredential, sendVerification, recent, linkChanged } = services
  const hasEmail = users.has('email')
  const knowsVerified = users.has('emailVerified')
  const { recovery } = identity
  const needsEmail = identity.login.includes('email')
  /** Clears another recovery field, which the creator of the account could use to get back in. */
  const clearedRecoveryField: UserValues =
    recovery === null || recovery === 'email'
      ? {}
      : {
          [recovery]: null,
          ...(users.has(`${recovery}Verified`) && { [`${recovery}Verified`]: false }),
        }

  /**
   * Gives the account to the owner of the address, which its creator never verified (account
   * pre-hijacking). What the creator set up is removed. Links are also removed before the address
   * counts as verified. If their table failed only after that, no later sign-in would remove them.
   */
  const removePreHijacker = (
    request: FastifyRequest,
    user: Row,
    provider: string,
    profile: OAuthProfile,
  ) =>
    replaceCredential(user, {
      request,
      unchangedFields: ['email', ...links.fields, 'emailVerified'],
      values: () => ({
        ...links.valuesFor(provider, profile.id, true),
        hashedPassword: passwords.unusable(),
        emailVerified: true,
        ...clearedRecoveryField,
        ...services.methods.clearedFactors,
      }),
      removeMethods: { before: true, factors: true, retry: null },
    })

  /**
   * Null if the row has changed or the provider account was linked elsewhere: the caller tries
   * again.
   */
  const link = async (
    request: FastifyRequest,
    user: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<OAuthResolution | null> => {
    const isVerified = users.flagOf(user, 'emailVerified', false)
    if (isVerified) await recent?.remember(user, provider)
    const changing = isVerified
      ? updateIfUnchanged(users, user, ['email', ...links.fields, 'emailVerified'], () =>
          links.valuesFor(provider, profile.id, false),
        )
      : removePreHijacker(request, user, provider, profile)
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

  /** Prepares the row of a new account. Hooks run once, even if several usernames must be tried. */
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
        // The provider vouches for the address in the profile, not for one that the app derived.
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
      // The username is taken, or the same user has just signed up in another tab.
      if (error instanceof DuplicateUserError) return null
      // Without a cause: it may contain the value, and JSON refusals are logged with their cause.
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

  /** Why the profile can't sign in to an account with its address; null if it can. */
  const refusalOf = async (
    holder: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<Error | null> => {
    if (!profile.emailVerified) return new OAuthEmailUnverifiedError()
    // Nothing of an inactive account changes, and the caller refuses it.
    if (!users.isActive(holder)) return null
    // Without `emailVerified`, nothing shows whether the creator owned the address. Neither linking
    // nor removing the creator's credentials would be safe.
    if (!knowsVerified) return new OAuthEmailUnverifiedError()
    // If the address was never verified, existing links are removed with everything else. An
    // account that verified another recovery field is an exception: it has an owner, and a stranger
    // may have added the address.
    if (!users.flagOf(holder, 'emailVerified', false)) {
      const isProved =
        recovery !== null &&
        recovery !== 'email' &&
        users.flagOf(holder, `${recovery}Verified`, false)
      return isProved ? new OAuthEmailUnverifiedError() : null
    }
    return (await links.isLinked(holder, provider)) ? new OAuthProviderAlreadyLinkedError() : null
  }

  const match: MatchAccount = async (request, provider, profile, guards) => {
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
        // The same user may have signed in from another tab, between the lookups by id and email.
        const again = await links.find(provider, profile.id)
        if (again) return { user: again, created: false, linked: false }
        throw refusal
      }
      if (holder && !users.isActive(holder)) return { user: holder, created: false, linked: false }
      if (holder && users.flagOf(holder, 'emailVerified', false) && (await guards?.(holder)))
        return { user: holder, created: false, linked: false, awaitsFactor: true }
      let resolved: OAuthResolution | null
      if (holder) resolved = await link(request, holder, provider, profile)
      else {
        rowOf ??= await prepare(request, provider, profile, email)
        const row = rowOf(attempt)
        // An address that the app derived may belong to another account.
        if (typeof row.email === 'string' && row.email !== email) {
          if ((await identity.findBy('email', row.email)) || (await isReserved(row.email)))
            throw new OAuthEmailUnverifiedError()
        }
        const { username } = row
        // Another account has this name as the value of a different login field: try the next name.
        const isShadowing = (await identity.conflictingField({ username })) !== null
        resolved = isShadowing ? null : await create(request, provider, profile, row)
      }
      if (resolved) return resolved
    }
    throw new OAuthFailedError('Could not create the account; try again')
  }
  const linkExisting: LinkAccount = async (request, user, provider, profile) => {
    // The row may have changed, and a parallel sign-in may have made the link.
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const known = await links.find(provider, profile.id)
      if (known && users.idOf(known) === users.idOf(user)) return known
      const row = known ? null : await users.findById(users.idOf(user))
      if (!row || (await refusalOf(row, provider, profile))) break
      const linked = await link(request, row, provider, profile)
      if (linked) return linked.user
    }
    throw new OAuthFailedError('The account cannot be linked any more')
  }

  return { match, link: linkExisting }
}
