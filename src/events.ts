import diagnosticsChannel, { type Channel } from 'node:diagnostics_channel'
import type { FastifyRequest } from 'fastify'
import type { RegisteredUser } from './fastify.js'

/** What every hook gets beside its subject. */
export interface HookContext {
  readonly request: FastifyRequest
}

/** Why a sign-in failed. Never told to the client. */
export type LoginFailure = 'unknown_identifier' | 'wrong_password' | 'no_password' | 'inactive'

/** What a lockout is about: the account, the address, or a device that has signed in before. */
export type LockoutReason = 'identifier' | 'address' | 'device'

/** What happens, by the name of the hook that hears of it. */
interface Payloads {
  onAfterRegister: { readonly user: RegisteredUser; readonly source: 'register' }
  /** `user` as it was found; `transport` names what the sign-in established. */
  onAfterLogin: { readonly user: RegisteredUser; readonly transport: string }
  onAfterLogout: { readonly user: RegisteredUser }
  onLoginFailed: { readonly identifier: string; readonly reason: LoginFailure }
  onLockout: { readonly identifier: string; readonly reason: LockoutReason }
  /** `first` is true when the account had no password before. */
  onAfterPasswordChanged: { readonly user: RegisteredUser; readonly first: boolean }
  /** A refresh token was used that had been used before; its family has ended. */
  onRefreshReuse: { readonly user: RegisteredUser }
  /** `until` is the end of the elevation. */
  onAfterSudo: { readonly user: RegisteredUser; readonly until: Date }
}

/** Name of an event, of its hook, and (after `crudauth:`) of its diagnostics channel. */
export type AuthEventType = keyof Payloads

/** Everything that is told to hooks and published on `diagnostics_channel` as `crudauth:<type>`. */
export type AuthEvent = { [T in AuthEventType]: { readonly type: T } & HookContext & Payloads[T] }[AuthEventType]

type Subject<P> = P extends { readonly user: RegisteredUser } ? RegisteredUser : P
type Rest<P> = P extends { readonly user: RegisteredUser } ? Omit<P, 'user'> : unknown

/** An after-hook: awaited before the answer; when it throws, that is logged and the committed change stands. */
export type AfterHook<T extends AuthEventType> = (
  subject: Subject<Payloads[T]>,
  context: HookContext & Rest<Payloads[T]>,
) => unknown

/**
 * The app's hooks. The `onBefore…` ones may throw to refuse: an error with a `statusCode` of 400 to 599 is answered as it is, any
 * other becomes 403 `CRUDAUTH_FORBIDDEN`.
 */
export type CrudAuthHooks = { readonly [T in AuthEventType]?: AfterHook<T> } & {
  /** `values` are what is about to be stored, without the password. */
  readonly onBeforeRegister?: (values: Readonly<Record<string, unknown>>, context: HookContext) => unknown
  /** Asked after the password was found right and before anything is established. */
  readonly onBeforeLogin?: (user: RegisteredUser, context: HookContext) => unknown
}

/** Names of every hook, for the check of the options. */
export const hookNames: readonly (keyof CrudAuthHooks)[] = [
  'onAfterRegister',
  'onAfterLogin',
  'onAfterLogout',
  'onLoginFailed',
  'onLockout',
  'onAfterPasswordChanged',
  'onAfterSudo',
  'onRefreshReuse',
  'onBeforeRegister',
  'onBeforeLogin',
]

/** Tells an event to its hook and its channel. Never rejects. */
export type Emit = <T extends AuthEventType>(type: T, payload: Payloads[T], request: FastifyRequest) => Promise<void>

export function createEmitter(hooks: CrudAuthHooks): Emit {
  const channels = new Map<AuthEventType, Channel>()
  for (const name of hookNames) {
    if (!name.startsWith('onBefore')) channels.set(name as AuthEventType, diagnosticsChannel.channel(`crudauth:${name}`))
  }
  return async (type, payload, request) => {
    const channel = channels.get(type)
    if (channel?.hasSubscribers) channel.publish({ type, request, ...payload })
    const hook = hooks[type] as ((subject: unknown, context: object) => unknown) | undefined
    if (!hook) return
    try {
      if ('user' in payload) {
        const { user, ...rest } = payload
        await hook(user, { request, ...rest })
      } else {
        await hook(payload, { request })
      }
    } catch (error) {
      request.log.error({ err: error, hook: type }, 'a fastify-crudauth hook failed')
    }
  }
}
