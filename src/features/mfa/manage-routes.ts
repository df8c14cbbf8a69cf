import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail } from '../../../schemas/common.js'
import { MfaCode, MfaStatus, RecoveryCodes, SetupTotp, TotpSetup } from '../../../schemas/mfa.js'
import { rowOf } from '../../core/principal/principal.js'
import { accountScope } from '../../gates/account-scope.js'
import { currentUser } from '../../gates/current-user.js'
import { loadUser } from '../../gates/load-user.js'
import type { OwnRoute } from '../../groups/define-group.js'
import type { MfaServices } from './services.js'

const tags = ['mfa']
const unavailable = 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)'
const refused =
  'The CSRF token is missing or wrong, or the token lacks the scope (CRUDAUTH_CSRF, CRUDAUTH_INSUFFICIENT_SCOPE)'
const wrongCode =
  'Nobody is signed in, or the code is wrong or was used before (CRUDAUTH_UNAUTHENTICATED, CRUDAUTH_MFA_CODE)'
const limited = 'Too many requests (CRUDAUTH_RATE_LIMITED)'
const limitedCodes =
  'Too many requests, or too many codes today (CRUDAUTH_RATE_LIMITED, CRUDAUTH_LOCKED_OUT)'

type CodeRequest = FastifyRequest<{ Body: Static<typeof MfaCode> }>

/** The routes of a signed-in user. */
export function manageRoutes(services: MfaServices): OwnRoute[] {
  const { management, rateLimit, limits } = services
  const caller = loadUser(services)
  // It slows down guessing at the password and the codes, so it fails closed.
  const limit = rateLimit('mfa_manage', limits.mfa_manage, { key: 'user', failClosed: true })
  const before = [currentUser(), accountScope, caller, limit]

  const status: OwnRoute = {
    method: 'GET',
    url: '/mfa',
    schema: {
      operationId: 'mfaStatus',
      tags,
      summary: 'The second factor of the signed-in user',
      response: { 200: MfaStatus },
    },
    docs: {
      auth: 'any',
      errors: { 401: 'Nobody is signed in (CRUDAUTH_UNAUTHENTICATED)', 503: unavailable },
    },
    before: [currentUser(), caller],
    handler: ({ principal }) => management.status(rowOf(principal), principal.transport),
  }

  const setup: OwnRoute = {
    method: 'POST',
    url: '/mfa/totp/setup',
    schema: {
      operationId: 'setupTotp',
      tags,
      summary: 'Create a secret for an authenticator app',
      body: SetupTotp,
      response: { 200: TotpSetup },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'The account has a second factor, or a malformed body (CRUDAUTH_BAD_REQUEST, FST_ERR_VALIDATION)',
        401: 'Nobody is signed in, or the password is missing or wrong (CRUDAUTH_UNAUTHENTICATED, CRUDAUTH_WRONG_PASSWORD)',
        403: `An account without a password, and the sign-in is too old (CRUDAUTH_FRESH_SIGN_IN_REQUIRED). ${refused}`,
        429: limited,
        503: `Overloaded (CRUDAUTH_OVERLOADED). ${unavailable}`,
      },
    },
    before,
    handler: ({ principal, body }: FastifyRequest<{ Body: Static<typeof SetupTotp> }>) =>
      management.setup(principal, body?.password),
  }

  const confirm: OwnRoute = {
    method: 'POST',
    url: '/mfa/totp/confirm',
    schema: {
      operationId: 'confirmTotp',
      tags,
      summary: 'Enable the second factor with the first code',
      body: MfaCode,
      response: { 200: RecoveryCodes },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'There is no setup to confirm, or a malformed body (CRUDAUTH_BAD_REQUEST, FST_ERR_VALIDATION)',
        401: wrongCode,
        403: refused,
        429: limited,
        503: unavailable,
      },
    },
    before,
    handler: async (request: CodeRequest) => ({
      recovery_codes: await management.confirm(
        rowOf(request.principal),
        request.body.code,
        request,
      ),
    }),
  }

  const disable: OwnRoute = {
    method: 'POST',
    url: '/mfa/totp/disable',
    schema: {
      operationId: 'disableTotp',
      tags,
      summary: 'Remove the second factor',
      body: MfaCode,
      response: { 200: Detail },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'The account has no second factor, or a malformed body (CRUDAUTH_BAD_REQUEST, FST_ERR_VALIDATION)',
        401: wrongCode,
        403: `The account must have a second factor (CRUDAUTH_FORBIDDEN). ${refused}`,
        429: limitedCodes,
        503: unavailable,
      },
    },
    before,
    async handler(request: CodeRequest) {
      await management.disable(request.principal, request.body.code, request)
      return { detail: 'Second factor removed' }
    },
  }

  const regenerate: OwnRoute = {
    method: 'POST',
    url: '/mfa/recovery-codes/regenerate',
    schema: {
      operationId: 'regenerateRecoveryCodes',
      tags,
      summary: 'Replace the recovery codes',
      body: MfaCode,
      response: { 200: RecoveryCodes },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'The account has no second factor, or a malformed body (CRUDAUTH_BAD_REQUEST, FST_ERR_VALIDATION)',
        401: wrongCode,
        403: refused,
        429: limitedCodes,
        503: unavailable,
      },
    },
    before,
    handler: async (request: CodeRequest) => ({
      recovery_codes: await management.regenerate(
        rowOf(request.principal),
        request.body.code,
        request,
      ),
    }),
  }

  return [status, setup, confirm, disable, regenerate]
}
