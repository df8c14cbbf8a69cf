import diagnosticsChannel, { type Channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { ForbiddenError } from './errors.js'
import { checkFunction, checkObject } from './lib/option-checks.js'
import type { RegisteredUser } from './ports/fastify.js'
import type { OAuthProfile, OAuthTokens } from './ports/oauth-provider.js'
import type { PasskeyInfo } from './ports/passkey-store.js'

/** Second argument of every hook. */
export interface HookContext {
  readonly request: FastifyRequest
}

/** Why a sign-in failed. The client never learns it. */
export type LoginFailure = 'unknown_identifier' | 'wrong_password' | 'no_password' | 'inactive'

/** What a lockout applies to: the account, the IP address or a known device. */
export type LockoutReason = 'identifier' | 'address' | 'device'

/** What a code of the second factor was for. */
export type MfaPurpose = 'sign_in' | 'sudo' | 'management'

/** Payloads of events, by the name of the hook. */
interface Payloads {
  /**
   * With delivery, `/register` doesn't await the hook. It runs for new addresses only, so waiting
   * would be a timing side channel (user enumeration).
   */
  onAfterRegister: { readonly user: RegisteredUser; readonly source: 'register' | 'oauth' }
  /** `user` is the row as it was read. `transport` is the one of the new session or tokens. */
  onAfterLogin: { readonly user: RegisteredUser; readonly transport: string }
  onAfterLogout: { readonly user: RegisteredUser }
  onLoginFailed: { readonly identifier: string; readonly reason: LoginFailure }
  onLockout: { readonly identifier: string; readonly reason: LockoutReason }
  /** `first`: the account had no password before. */
  onAfterPasswordChanged: { readonly user: RegisteredUser; readonly first: boolean }
  /** A token verified the recovery field `factor`. */
  onAfterRecoveryVerified: { readonly user: RegisteredUser; readonly factor: string }
  /** A password was set with a token. */
  onAfterPasswordReset: { readonly user: RegisteredUser }
  /** `previous` is the old address; `reverted` is true if a change was undone. */
  onAfterEmailChanged: {
    readonly user: RegisteredUser
    readonly previous: string | null
    readonly reverted: boolean
  }
  /**
   * Sign-in with a provider, or a new link. `created`: the account is new; `linked`: it existed and
   * was linked just now.
   */
  onAfterOAuth: {
    readonly user: RegisteredUser
    /** Key of the provider in `oauth.providers`. */
    readonly provider: string
    /** Without `raw`, which may contain more data than an event should. */
    readonly profile: Omit<OAuthProfile, 'raw'>
    readonly created: boolean
    readonly linked: boolean
  }
  /** A used refresh token was presented again; its family has been revoked. */
  onRefreshReuse: { readonly user: RegisteredUser }
  /** `until` is the end of sudo mode. */
  onAfterSudo: { readonly user: RegisteredUser; readonly until: Date }
  /** The account has a second factor now. `request` is null for a call of your own code. */
  onMfaEnabled: { readonly user: RegisteredUser }
  /** The account has no second factor any more. `request` is null for a call of your own code. */
  onMfaDisabled: { readonly user: RegisteredUser }
  /**
   * `remaining` is the number of codes that are left. `request` is null for a call of your own
   * code.
   */
  onRecoveryCodeUsed: { readonly user: RegisteredUser; readonly remaining: number }
  /** A code was wrong, or was used before. */
  onMfaFailed: { readonly user: RegisteredUser; readonly purpose: MfaPurpose }
  onPasskeyAdded: { readonly user: RegisteredUser; readonly passkey: PasskeyInfo }
  /** `request` is null for a call of your own code. */
  onPasskeyRemoved: { readonly user: RegisteredUser; readonly passkey: PasskeyInfo }
  /**
   * A right signature was refused: its `counter` isn't above the stored one, so the passkey may have
   * been copied.
   */
  onPasskeySuspicious: {
    readonly user: RegisteredUser
    readonly passkey: PasskeyInfo
    readonly counter: number
    readonly storedCounter: number
  }
}

/** Events that code of the app can cause without a request. */
type OwnCalls = 'onMfaEnabled' | 'onMfaDisabled' | 'onRecoveryCodeUsed' | 'onPasskeyRemoved'

type ContextOf<T> = T extends OwnCalls ? { readonly request: FastifyRequest | null } : HookContext

/** Events that happen after their request has ended. */
interface LatePayloads {
  /**
   * A message was given up: every attempt failed (`failed`), too many were waiting (`full`), or the
   * app closed first (`closed`). `channel` is null if it had not reached a channel.
   */
  onDeliveryFailed: {
    /** Kind of the message, if known. */
    readonly kind: string | null
    readonly channel: string | null
    readonly reason: 'failed' | 'full' | 'closed'
    readonly attempts: number
  }
}

/** Name of an event and its hook. The diagnostics channel is `crudauth:<name>`. */
export type AuthEventType = keyof Payloads | keyof LatePayloads

/** Events passed to hooks and published on `diagnostics_channel` as `crudauth:<type>`. */
export type AuthEvent =
  | { [T in keyof Payloads]: { readonly type: T } & ContextOf<T> & Payloads[T] }[keyof Payloads]
  | {
      [T in keyof LatePayloads]: { readonly type: T; readonly request: null } & LatePayloads[T]
    }[keyof LatePayloads]

type Subject<P> = P extends { readonly user: RegisteredUser } ? RegisteredUser : P
type Rest<P> = P extends { readonly user: RegisteredUser } ? Omit<P, 'user'> : unknown

/** An after-hook, awaited before the response. An error is logged and doesn't undo the change. */
export type AfterHook<T extends AuthEventType> = T extends keyof Payloads
  ? (subject: Subject<Payloads[T]>, context: ContextOf<T> & Rest<Payloads[T]>) => unknown
  : T extends keyof LatePayloads
    ? (event: LatePayloads[T]) => unknown
    : never

/**
 * Hooks of the app. The `onBefore…` ones can refuse by throwing: an error with a `statusCode` of
 * 400 to 599 is returned as it is, any other becomes 403 `CRUDAUTH_FORBIDDEN`.
 */
export type CrudAuthHooks = { readonly [T in AuthEventType]?: AfterHook<T> } & {
  /** `values` is the input of the client in canonical form, without the password. */
  readonly onBeforeRegister?: (
    values: Readonly<Record<string, unknown>>,
    context: HookContext,
  ) => unknown
  /**
   * Gets the tokens of the provider once; the plugin doesn't store them. Called before the session
   * is created. An error is logged. Not published on a diagnostics channel.
   */
  readonly onProviderTokens?: (
    user: RegisteredUser,
    context: HookContext & { readonly provider: string; readonly tokens: OAuthTokens },
  ) => unknown
  /**
   * Called when a provider has identified the user, before an account is looked up, created or
   * linked. `profile.raw` has every claim. A refusal redirects with `?error=access_denied`.
   * @example
   * onBeforeOAuth(profile) {
   *   if (profile.raw.hd !== 'corp.example') throw new Error('another workspace')
   * }
   */
  readonly onBeforeOAuth?: (
    profile: OAuthProfile,
    context: HookContext & { readonly provider: string },
  ) => unknown
  /**
   * Called before a change of address, with the address in canonical form, for example to limit it
   * to a domain. The rules of `registration.schema` for `email` apply as well.
   * @example
   * onBeforeEmailChange(user, { newEmail }) {
   *   if (!newEmail.endsWith('@corp.example')) throw new Error('an address of another domain')
   * }
   */
  readonly onBeforeEmailChange?: (
    user: RegisteredUser,
    context: HookContext & { readonly newEmail: string },
  ) => unknown
  /**
   * Called after the password was verified or a provider identified the user, before a session or a
   * token is created.
   */
  readonly onBeforeLogin?: (user: RegisteredUser, context: HookContext) => unknown
}

const hookNames: readonly (keyof CrudAuthHooks)[] = [
  'onAfterRegister',
  'onAfterLogin',
  'onAfterLogout',
  'onLoginFailed',
  'onLockout',
  'onAfterPasswordChanged',
  'onAfterRecoveryVerified',
  'onAfterPasswordReset',
  'onAfterEmailChanged',
  'onAfterOAuth',
  'onAfterSudo',
  'onMfaEnabled',
  'onMfaDisabled',
  'onRecoveryCodeUsed',
  'onMfaFailed',
  'onPasskeyAdded',
  'onPasskeyRemoved',
  'onPasskeySuspicious',
  'onRefreshReuse',
  'onDeliveryFailed',
  'onBeforeRegister',
  'onBeforeLogin',
  'onBeforeOAuth',
  'onBeforeEmailChange',
  'onProviderTokens',
]

/** Passes an event to its hook and its diagnostics channel. Never rejects. */
export type Emit = <T extends keyof Payloads>(
  type: T,
  payload: Payloads[T],
  request: ContextOf<T>['request'],
) => Promise<void>

/** Like `Emit`, for events after the end of their request. */
export type EmitWithoutRequest = <T extends keyof LatePayloads>(
  type: T,
  payload: LatePayloads[T],
) => Promise<void>

/**
 * Creates the functions that emit events.
 * @param view returns a user row without credentials, for hooks and channels
 */
export function createEmitter(
  hooks: CrudAuthHooks,
  log: FastifyBaseLogger,
  view: (user: RegisteredUser) => RegisteredUser,
): { emit: Emit; emitWithoutRequest: EmitWithoutRequest } {
  const channels = new Map<AuthEventType, Channel>()
  for (const name of hookNames) {
    if (!name.startsWith('onBefore') && name !== 'onProviderTokens')
      channels.set(name as AuthEventType, diagnosticsChannel.channel(`crudauth:${name}`))
  }

  const tell = async (
    type: AuthEventType,
    event: object,
    call: (hook: AnyHook) => unknown,
    logger: FastifyBaseLogger,
  ) => {
    const channel = channels.get(type)
    if (channel?.hasSubscribers) channel.publish({ type, ...event })
    const hook = hooks[type] as AnyHook | undefined
    if (!hook) return
    try {
      await call(hook)
    } catch (error) {
      logger.error({ err: error, hook: type }, 'a fastify-crudauth hook failed')
    }
  }

  return {
    emit(type, payload, request) {
      const shown = 'user' in payload ? { ...payload, user: view(payload.user) } : payload
      return tell(
        type,
        { request, ...shown },
        (hook) => {
          if (!('user' in shown)) return hook(shown, { request })
          const { user, ...rest } = shown
          return hook(user, { request, ...rest })
        },
        request?.log ?? log,
      )
    },
    emitWithoutRequest: (type, payload) =>
      tell(type, { request: null, ...payload }, (hook) => hook(payload), log),
  }
}

type AnyHook = (...args: object[]) => unknown

/**
 * Runs a hook that can refuse by throwing.
 * @throws the error of the hook if its status is 400 to 599, otherwise ForbiddenError
 */
export async function runBefore(call: () => unknown): Promise<void> {
  try {
    await call()
  } catch (cause) {
    const status = (cause as { statusCode?: unknown } | null)?.statusCode
    if (typeof status === 'number' && status >= 400 && status < 600) throw cause
    throw new ForbiddenError({ cause })
  }
}

export function resolveHooks(value: CrudAuthHooks = {}): CrudAuthHooks {
  checkObject('hooks', value, hookNames)
  for (const name of hookNames)
    checkFunction(`hooks.${name}`, value[name] as (() => unknown) | undefined)
  return Object.freeze({ ...value })
}
