import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import { canonicalEmail } from '../../core/identity/canonical.js'
import { canonicalValues, type Identity } from '../../core/identity/identity.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { NewAccount } from '../../core/sign-up/new-account.js'
import type { Row, Users } from '../../core/users/users.js'
import { BadRequestError, DuplicateUserError, UserValueError } from '../../errors.js'
import { type CrudAuthHooks, type Emit, runBefore } from '../../events.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'
import { usernameBase, usernameFor } from './derive-username.js'
import type { LinkedAccounts } from './linked-accounts.js'

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
  /** Whether the address is held for an account that it belonged to. */
  readonly isReserved: (email: string) => Promise<boolean>
  readonly replaceCredential: ReplaceCredential
  /** Sends what verifies an address that the provider does not vouch for. Must not wait. */
  readonly sendVerification: (request: FastifyRequest, user: Row) => void
}

/**
 * Finds or makes the account of whoever signed in at a provider: by the provider's id, by a verified email, else a new one.
 * @throws BadRequestError (400) for an unverified email that is somebody's, or none to make an account with
 */
export type MatchAccount = (
  request: FastifyRequest,
  provider: string,
  profile: OAuthProfile,
) => Promise<OAuthResolution>

const maxAttempts = 10

export function createMatchAccount(services: Dependencies): MatchAccount {
  const { users, identity, passwords, hooks, emit, newAccount, links } = services
  const { isReserved, replaceCredential, sendVerification } = services
  const hasEmail = users.has('email')
  const knowsVerified = users.has('emailVerified')
  const { recovery } = identity
  /** What whoever made the account could get back in by. */
  const otherFactor: UserValues =
    recovery === null || recovery === 'email'
      ? {}
      : {
          [recovery]: null,
          ...(users.has(`${recovery}Verified`) && { [`${recovery}Verified`]: false }),
        }

  /**
   * The address's owner has just shown up, and whoever made the account with it never did: what that one set up goes. The
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
    const changing = isVerified
      ? updateIfUnchanged(users, user, ['email', ...links.fields, 'emailVerified'], () =>
          links.valuesFor(provider, profile.id, false),
        )
      : takeOver(request, user, provider, profile)
    const changed = await changing.catch((error) => {
      if (error instanceof DuplicateUserError) return null
      if (error instanceof UserValueError)
        throw new BadRequestError('The account with this email can not be taken over', {
          cause: error,
        })
      throw error
    })
    if (!changed) return null
    return (await links.attach(changed, provider, profile))
      ? { user: changed, created: false, linked: true }
      : null
  }

  /** What a new account holds beside its username. The app is asked once, however often the username has to be changed. */
  const prepare = async (
    request: FastifyRequest,
    provider: string,
    profile: OAuthProfile,
    email: string | null,
  ) => {
    if (hasEmail && email === null)
      throw new BadRequestError('The provider told no email to make an account with')
    const base = usernameBase(profile.username, profile.name, email?.split('@')[0])
    const nameOf = (attempt: number) =>
      users.has('username') ? { username: usernameFor(base, attempt) } : {}
    const values: UserValues = { ...(hasEmail && { email }), ...nameOf(0) }
    await runBefore(() => hooks.onBeforeRegister?.(values, { request }))
    const derived = await newAccount.derive({ source: 'oauth', request, values, provider, profile })
    const hashedPassword = passwords.unusable()
    return (attempt: number): UserValues => {
      const named = { ...values, ...(attempt > 0 && nameOf(attempt)), ...derived }
      return newAccount.row({
        ...canonicalValues(
          { ...identity, login: identity.login.filter((field) => field in named) },
          named,
        ),
        hashedPassword,
        ...(knowsVerified && { emailVerified: profile.emailVerified }),
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
      if (error instanceof UserValueError)
        throw new BadRequestError('A value can not be stored', { cause: error })
      throw error
    }
    if (!(await links.attach(user, provider, profile))) return null
    if (!profile.emailVerified) sendVerification(request, user)
    await emit('onAfterRegister', { user, source: 'oauth' }, request)
    return { user, created: true, linked: false }
  }

  /** Why an account with the address is not the caller's to enter; null when it is. */
  const refusalOf = async (
    holder: Row,
    provider: string,
    profile: OAuthProfile,
  ): Promise<string | null> => {
    if (!profile.emailVerified) {
      return 'The provider does not vouch for the email, and an account with it exists; sign in to that and link'
    }
    // Inert: nothing of it changes, and the caller refuses it.
    if (!users.isActive(holder)) return null
    // Whoever made it may never have owned the address, and nothing tells: neither in nor out without its own credential.
    if (!knowsVerified) return 'An account with the email exists; sign in to that and link'
    // Of one that was never verified the link goes with everything else.
    if (!users.flagOf(holder, 'emailVerified', false) || !(await links.isLinked(holder, provider)))
      return null
    return 'The account with this email is linked to another account of this provider'
  }

  return async (request, provider, profile) => {
    const email = profile.email === null ? null : canonicalEmail(profile.email)
    let rowOf: ((attempt: number) => UserValues) | undefined
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const known = await links.find(provider, profile.id)
      if (known) return { user: known, created: false, linked: false }
      const holder = email === null || !hasEmail ? null : await identity.findBy('email', email)
      if (!holder && email !== null && (await isReserved(email))) {
        throw new BadRequestError('The email belongs to another account')
      }
      const refusal = holder && (await refusalOf(holder, provider, profile))
      if (refusal) {
        // This very person may have come in by another tab, between the look-up by id and the one by email.
        const again = await links.find(provider, profile.id)
        if (again) return { user: again, created: false, linked: false }
        throw new BadRequestError(refusal)
      }
      if (holder && !users.isActive(holder)) return { user: holder, created: false, linked: false }
      let resolved: OAuthResolution | null
      if (holder) resolved = await link(request, holder, provider, profile)
      else {
        rowOf ??= await prepare(request, provider, profile, email)
        resolved = await create(request, provider, profile, rowOf(attempt))
      }
      if (resolved) return resolved
    }
    throw new BadRequestError('No account could be made; try again')
  }
}
