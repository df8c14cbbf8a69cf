import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { ChangePassword, meSchema, Registered, SetPassword } from '../../../schemas/account.js'
import { Detail } from '../../../schemas/common.js'
import { accountView } from '../../core/users/account-view.js'
import type { Users } from '../../core/users/users.js'
import { accountScope } from '../../gates/account-scope.js'
import { currentUser } from '../../gates/current-user.js'
import { loadUser } from '../../gates/load-user.js'
import { requireFresh } from '../../gates/require-sudo.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import type { RouteLimits } from '../../groups/feature.js'
import { servicesOf } from '../../groups/services.js'
import type { Principal } from '../../ports/transport.js'
import type { PasswordChange } from './change-password.js'
import type { RegisterAccount } from './register.js'

const authenticated = {
  401: 'Nobody is signed in (CRUDAUTH_UNAUTHENTICATED)',
  503: 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)',
}

/** Services of the account routes. */
export interface AccountServices extends RouteLimits {
  readonly users: Users
  /** Logical name of the recovery field, or null. */
  readonly recoveryField: string | null
  readonly register: RegisterAccount
  readonly registration: {
    readonly enabled: boolean
    readonly bodySchema: Readonly<Record<string, unknown>>
  }
  readonly passwordChange: PasswordChange
  readonly signUp: { readonly messages: object | null }
  /** Response body of `GET /me`. */
  readonly me: (principal: Principal) => object
  /** Schemas of the columns that `account.publicFields` adds to `GET /me`. */
  readonly publicSchemas: Readonly<Record<string, object>>
}

/**
 * `POST /register`, `GET /me`, `POST /set-password`, `POST /change-password`.
 * @example
 * app.register(crudAuth, { secret, users, routes: false })
 * app.register(accountRoutes, { prefix: '/account' })
 */
export const accountRoutes = defineGroup('account', (app) => {
  const services = servicesOf<AccountServices>(app, 'account', 'The "account" routes need crudAuth')
  const { users, register, registration, passwordChange, rateLimit, limits } = services
  const caller = loadUser(services)
  // With delivery the response is identical for known and new addresses (user enumeration).
  const answersAlike = services.signUp.messages !== null

  const limitRegister = rateLimit('register', limits.register)

  const registerRoute: OwnRoute = {
    method: 'POST',
    url: '/register',
    schema: {
      operationId: 'register',
      tags: ['account'],
      summary: 'Create an account',
      body: registration.bodySchema,
      response: answersAlike ? { 202: Detail } : { 201: Registered },
    },
    docs: {
      auth: 'none',
      errors: {
        400: 'Malformed body, or a value or password is not acceptable (FST_ERR_VALIDATION, CRUDAUTH_EMAIL_INVALID, CRUDAUTH_USERNAME_INVALID, CRUDAUTH_PHONE_INVALID, CRUDAUTH_PASSWORD_TOO_SHORT, CRUDAUTH_PASSWORD_TOO_COMMON, CRUDAUTH_PASSWORD_REJECTED, CRUDAUTH_BAD_REQUEST)',
        403: 'The app refused (CRUDAUTH_FORBIDDEN)',
        409: `The ${answersAlike ? 'username' : 'email or username'} is taken (CRUDAUTH_DUPLICATE)`,
        413: 'Body above 16 KiB',
        415: 'Neither JSON nor a form',
        429: 'Too many registrations from this address (CRUDAUTH_RATE_LIMITED)',
        503: 'Overloaded, or the users database is unreachable (CRUDAUTH_OVERLOADED, CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: [],
    async handler(request, reply) {
      const user = await register(request.body as Record<string, unknown>, request, () =>
        limitRegister(request, reply),
      )
      if (answersAlike || !user) {
        reply.code(202)
        return { detail: 'A message was sent; follow its link to continue' }
      }
      reply.code(201)
      return accountView(users, user)
    },
  }

  const me: OwnRoute = {
    method: 'GET',
    url: '/me',
    schema: {
      operationId: 'me',
      tags: ['account'],
      summary: 'The signed-in user',
      response: { 200: meSchema(services.publicSchemas) },
    },
    docs: { auth: 'any', errors: authenticated },
    before: [currentUser(), caller],
    handler: (request) => services.me(request.principal),
  }

  const setPassword: OwnRoute = {
    method: 'POST',
    url: '/set-password',
    schema: {
      operationId: 'setPassword',
      tags: ['account'],
      summary: 'Set the first password of an account that has none',
      body: SetPassword,
      response: { 200: Detail },
    },
    docs: {
      auth: 'any',
      errors: {
        ...authenticated,
        400: 'The account has a password, or the new one is not acceptable (CRUDAUTH_PASSWORD_EXISTS, CRUDAUTH_PASSWORD_TOO_SHORT, CRUDAUTH_PASSWORD_TOO_COMMON, CRUDAUTH_PASSWORD_REJECTED, FST_ERR_VALIDATION)',
        403: 'The sign-in is too old, the CSRF token is missing or wrong, or the token lacks the scope (CRUDAUTH_FRESH_SIGN_IN_REQUIRED, CRUDAUTH_CSRF, CRUDAUTH_INSUFFICIENT_SCOPE)',
      },
    },
    before: [
      currentUser(),
      accountScope,
      caller,
      async function hasNone({ principal }) {
        passwordChange.assertHasNone(principal)
      },
      requireFresh,
    ],
    async handler(request: FastifyRequest<{ Body: Static<typeof SetPassword> }>) {
      await passwordChange.set(request.principal, request.body.new_password, request)
      return { detail: 'Password set' }
    },
  }

  const changePassword: OwnRoute = {
    method: 'POST',
    url: '/change-password',
    schema: {
      operationId: 'changePassword',
      tags: ['account'],
      summary: 'Change the password and end every other session and all tokens',
      body: ChangePassword,
      response: { 200: Detail },
    },
    docs: {
      auth: 'any',
      errors: {
        ...authenticated,
        400: 'The account has no password, or the new one is not acceptable (CRUDAUTH_NO_PASSWORD, CRUDAUTH_PASSWORD_TOO_SHORT, CRUDAUTH_PASSWORD_TOO_COMMON, CRUDAUTH_PASSWORD_REJECTED, FST_ERR_VALIDATION)',
        401: 'Nobody is signed in, or the current password is wrong (CRUDAUTH_UNAUTHENTICATED, CRUDAUTH_WRONG_PASSWORD)',
        403: 'The CSRF token is missing or wrong, or the token lacks the scope (CRUDAUTH_CSRF, CRUDAUTH_INSUFFICIENT_SCOPE)',
        429: 'Too many changes or wrong passwords (CRUDAUTH_RATE_LIMITED)',
      },
    },
    before: [
      currentUser(),
      accountScope,
      caller,
      rateLimit('change_password', limits.change_password, {
        key: 'session',
        userCeiling: 10,
        failClosed: true,
      }),
    ],
    async handler(request: FastifyRequest<{ Body: Static<typeof ChangePassword> }>) {
      const { current_password, new_password } = request.body
      await passwordChange.change(request.principal, current_password, new_password, request)
      return { detail: 'Password changed' }
    },
  }

  return [...(registration.enabled ? [registerRoute] : []), me, setPassword, changePassword]
})
