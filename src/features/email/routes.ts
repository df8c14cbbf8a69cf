import type { Static, TSchema } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail } from '../../../schemas/common.js'
import {
  type ChangeEmail,
  Confirmed,
  ConfirmToken,
  changeEmail,
  factorRequest,
  ResetPassword,
} from '../../../schemas/email.js'
import type { AllMethods } from '../../core/credentials/sign-in-methods.js'
import type { Users } from '../../core/users/users.js'
import { accountScope } from '../../gates/account-scope.js'
import { currentUser } from '../../gates/current-user.js'
import { loadUser } from '../../gates/load-user.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import type { RouteLimits } from '../../groups/feature.js'
import { servicesOf } from '../../groups/services.js'
import { redirectTarget } from '../../http/redirect-path.js'
import type { AnyGate } from '../../ports/fastify.js'
import type { EmailChange } from './email-change.js'
import type { PasswordReset } from './password-reset.js'
import type { Factor } from './recovery-factor.js'
import { type UndoLink, undoChange } from './undo-link.js'
import type { Verification } from './verification.js'

/** Services of the routes. */
export interface EmailServices extends RouteLimits {
  readonly users: Users
  /** Logical name of the recovery field, or null. */
  readonly recoveryField: string | null
  readonly verification: Verification
  readonly passwordReset: PasswordReset
  readonly factor: Factor
  /** JSON schema of the recovery field. */
  readonly schema: object
  /** Null if users have no email address. */
  readonly emailChange: EmailChange | null
  /** Schema of email addresses in `registration.schema`. */
  readonly emailSchema: object | undefined
  readonly undoLink: UndoLink
  readonly methods: AllMethods
}

const tags = ['email']
const malformed = 'Malformed body (FST_ERR_VALIDATION, CRUDAUTH_BAD_REQUEST)'
const invalid =
  'The token is invalid, expired or used (CRUDAUTH_TOKEN_INVALID_OR_USED), or the body is malformed'
const unavailable =
  'Redis or the users database is unreachable; the token stays valid (CRUDAUTH_UNAVAILABLE)'

const confirmed = (detail: string, redirectTo: string | undefined): Static<typeof Confirmed> => ({
  detail,
  ...(redirectTo !== undefined && { redirect_to: redirectTo }),
})

/** A route whose response is the same whether or not an account exists. */
function requestRoute(
  part: { readonly field: string; readonly schema: object },
  route: { url: string; operationId: string; summary: string; detail: string; before: AnyGate },
  send: (request: FastifyRequest, value: string, redirectTo: string | undefined) => void,
): OwnRoute {
  const { url, operationId, summary, detail, before } = route
  const body: TSchema = factorRequest(part.field, part.schema)
  return {
    method: 'POST',
    url,
    schema: { operationId, tags, summary, body, response: { 202: Detail } },
    docs: {
      auth: 'none',
      errors: {
        400: malformed,
        429: 'Too many requests from this IP address (CRUDAUTH_RATE_LIMITED)',
      },
    },
    isPublic: true,
    before: [before],
    async handler(request: FastifyRequest<{ Body: Record<string, string | null> }>, reply) {
      const { body } = request
      send(request, body[part.field] as string, redirectTarget(body.redirect_to))
      reply.code(202)
      return { detail }
    },
  }
}

/** A route that redeems a token. */
function confirmRoute<B extends TSchema>(
  route: {
    url: string
    operationId: string
    summary: string
    body: B
    errors?: Record<number, string>
  },
  confirm: (request: FastifyRequest, body: Static<B>) => Promise<Static<typeof Confirmed>>,
): OwnRoute {
  const { url, operationId, summary, body, errors } = route
  return {
    method: 'POST',
    url,
    schema: { operationId, tags, summary, body, response: { 200: Confirmed } },
    docs: { auth: 'none', errors: { 400: invalid, ...errors, 503: unavailable } },
    isPublic: true,
    before: [],
    handler: (request: FastifyRequest<{ Body: Static<B> }>) => confirm(request, request.body),
  }
}

function verificationRoutes({
  rateLimit,
  limits,
  verification,
  factor,
  schema,
}: EmailServices): OwnRoute[] {
  const part = { field: factor.field, schema }
  return [
    requestRoute(
      part,
      {
        url: '/email/verify-request',
        operationId: 'requestVerification',
        summary: 'Request a link that verifies the recovery field',
        detail: 'If this account exists and needs verification, a message was sent',
        before: rateLimit('email_verify_request', limits.email_verify_request),
      },
      (request, value, redirectTo) =>
        verification.request(request, factor.parse(value), redirectTo),
    ),
    confirmRoute(
      {
        url: '/email/verify-confirm',
        operationId: 'confirmVerification',
        summary: 'Verify the recovery field with a token',
        body: ConfirmToken,
      },
      async (request, { token }) =>
        confirmed('Verified', await verification.confirm(request, token)),
    ),
  ]
}

function resetRoutes({
  rateLimit,
  limits,
  passwordReset,
  factor,
  schema,
}: EmailServices): OwnRoute[] {
  const part = { field: factor.field, schema }
  return [
    requestRoute(
      part,
      {
        url: '/password/reset-request',
        operationId: 'requestPasswordReset',
        summary: 'Request a link to set a new password',
        detail: 'If this account exists, a message was sent',
        before: rateLimit('password_reset_request', limits.password_reset_request),
      },
      (request, value, redirectTo) =>
        passwordReset.request(request, factor.parse(value), redirectTo),
    ),
    confirmRoute(
      {
        url: '/password/reset-confirm',
        operationId: 'resetPassword',
        summary: 'Set a new password with a token, and end every session and all tokens',
        body: ResetPassword,
        errors: {
          400: `${invalid}, or the password is not acceptable, and the token stays valid`,
        },
      },
      async (request, { token, new_password }) =>
        confirmed('Password set', await passwordReset.confirm(request, token, new_password)),
    ),
  ]
}

function changeRoutes(services: EmailServices, emailChange: EmailChange): OwnRoute[] {
  const { rateLimit, limits } = services
  const changeRequest: OwnRoute = {
    method: 'POST',
    url: '/email/change-request',
    schema: {
      operationId: 'requestEmailChange',
      tags,
      summary: 'Request a change of the email address',
      body: changeEmail(services.emailSchema),
      response: { 202: Detail },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'Malformed body, the current address, a wrong password, or an account without a password (FST_ERR_VALIDATION, CRUDAUTH_EMAIL_INVALID, CRUDAUTH_SAME_EMAIL, CRUDAUTH_WRONG_PASSWORD, CRUDAUTH_NO_PASSWORD)',
        401: 'Nobody is signed in (CRUDAUTH_UNAUTHENTICATED)',
        403: 'The CSRF token is missing or wrong, the token lacks the scope, or the app refused (CRUDAUTH_CSRF, CRUDAUTH_INSUFFICIENT_SCOPE, CRUDAUTH_FORBIDDEN)',
        429: 'Too many requests or wrong passwords (CRUDAUTH_RATE_LIMITED)',
        503: 'Overloaded, or Redis or the users database is unreachable (CRUDAUTH_OVERLOADED, CRUDAUTH_UNAVAILABLE)',
      },
    },
    before: [
      currentUser(),
      accountScope,
      loadUser(services),
      rateLimit('email_change_request', limits.email_change_request, {
        key: 'session',
        userCeiling: 10,
        failClosed: true,
      }),
    ],
    async handler(request: FastifyRequest<{ Body: Static<typeof ChangeEmail> }>, reply) {
      const { new_email, password, redirect_to } = request.body
      const change = { email: new_email, password, redirectTo: redirectTarget(redirect_to) }
      await emailChange.request(request, request.principal, change)
      reply.code(202)
      return { detail: 'If the address is free, a message was sent to it' }
    },
  }
  return [
    changeRequest,
    confirmRoute(
      {
        url: '/email/change-confirm',
        operationId: 'confirmEmailChange',
        summary: 'Change the email address to the one that the token was sent to',
        body: ConfirmToken,
        errors: { 409: 'The address was taken in the meantime (CRUDAUTH_DUPLICATE)' },
      },
      async (request, { token }) =>
        confirmed('Email changed', await emailChange.confirm(request, token)),
    ),
  ]
}

/** Undoes an email change or a provider link, with the token of its notification. */
const undoRoute = (part: EmailServices): OwnRoute =>
  confirmRoute(
    {
      url: '/email/change-revert',
      operationId: 'revertEmailChange',
      summary:
        'Undo a change of address or a link to a provider, and end every session and all tokens',
      body: ConfirmToken,
    },
    async (request, { token }) => {
      const undone = await undoChange(part, request, token)
      const detail =
        undone === 'link'
          ? 'The link to the provider was removed'
          : 'The previous email address was restored'
      return confirmed(`${detail}; set a new password if someone else knows yours`, undefined)
    },
  )

/**
 * Routes to verify the recovery field, reset the password and change the email address.
 * @example
 * app.register(crudAuth, { secret, users, email, routes: false })
 * app.register(emailRoutes, { prefix: '/auth' })
 */
export const emailRoutes = defineGroup('email', (app) => {
  const part = servicesOf<EmailServices>(
    app,
    'email',
    'The "email" routes need a way to send ("email" or "channels") and a recovery field ("identity.recovery")',
  )
  return [
    ...(part.factor.verifiedField === null ? [] : verificationRoutes(part)),
    ...resetRoutes(part),
    ...(part.emailChange === null ? [] : changeRoutes(part, part.emailChange)),
    ...(part.emailChange !== null || part.methods.undoable ? [undoRoute(part)] : []),
  ]
})
