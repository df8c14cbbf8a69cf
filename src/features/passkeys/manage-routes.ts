import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail } from '../../../schemas/common.js'
import {
  Passkey as PasskeyBody,
  PasskeyList,
  PasskeyOptions,
  PasskeyParams,
  RegisterPasskey,
  RegisterPasskeyOptions,
  RenamePasskey,
} from '../../../schemas/passkeys.js'
import { rowOf } from '../../core/principal/principal.js'
import { accountScope } from '../../gates/account-scope.js'
import { currentUser } from '../../gates/current-user.js'
import { loadUser } from '../../gates/load-user.js'
import { requireFresh } from '../../gates/require-sudo.js'
import type { OwnRoute } from '../../groups/define-group.js'
import type { Passkey } from '../../ports/passkey-store.js'
import type { PasskeyServices } from './services.js'

const tags = ['passkeys']
const unavailable = 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)'
const anonymous = 'Nobody is signed in (CRUDAUTH_UNAUTHENTICATED)'
const refused =
  'The CSRF token is missing or wrong, or the token lacks the scope (CRUDAUTH_CSRF, CRUDAUTH_INSUFFICIENT_SCOPE)'
const stale = 'The sign-in is too old (CRUDAUTH_FRESH_SIGN_IN_REQUIRED)'
const unknown = 'The user has no such passkey (CRUDAUTH_NOT_FOUND)'

const view = ({ id, name, createdAt, lastUsedAt, backedUp, transports }: Passkey) => ({
  id,
  name,
  created_at: createdAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
  backed_up: backedUp,
  transports,
})

type Params = Static<typeof PasskeyParams>
type RenameRequest = FastifyRequest<{ Params: Params; Body: Static<typeof RenamePasskey> }>

/** The routes of a signed-in user. */
export function manageRoutes(services: PasskeyServices): OwnRoute[] {
  const { registration, management } = services
  const caller = loadUser(services)
  const before = [currentUser(), accountScope, caller]
  // A stolen session must not add a lasting way in, nor remove the owner's.
  const beforeFresh = [currentUser(), accountScope, requireFresh, caller]

  const options: OwnRoute = {
    method: 'POST',
    url: '/passkeys/register/options',
    schema: {
      operationId: 'registerPasskeyOptions',
      tags,
      summary: 'Options to create a passkey',
      body: RegisterPasskeyOptions,
      response: { 200: PasskeyOptions },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: anonymous,
        403: `${stale}. ${refused}`,
        409: 'The account has as many passkeys as it may have (CRUDAUTH_DUPLICATE)',
        503: unavailable,
      },
    },
    before: beforeFresh,
    handler: (request: FastifyRequest<{ Body: Static<typeof RegisterPasskeyOptions> }>) =>
      registration.begin(request, request.principal, request.body?.name),
  }

  const verify: OwnRoute = {
    method: 'POST',
    url: '/passkeys/register/verify',
    schema: {
      operationId: 'registerPasskey',
      tags,
      summary: 'Add a passkey',
      body: RegisterPasskey,
      response: { 201: PasskeyBody },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'The passkey is not the right answer, or the challenge is unknown, expired, used or of another session (CRUDAUTH_PASSKEY_INVALID); or a malformed body (FST_ERR_VALIDATION)',
        401: anonymous,
        403: refused,
        409: 'The passkey is registered already, or the account has as many as it may have (CRUDAUTH_DUPLICATE)',
        413: 'Body above 16 KiB',
        503: unavailable,
      },
    },
    before,
    async handler(request: FastifyRequest<{ Body: Static<typeof RegisterPasskey> }>, reply) {
      const passkey = await registration.finish(request, request.principal, request.body)
      reply.code(201)
      return view(passkey)
    },
  }

  const list: OwnRoute = {
    method: 'GET',
    url: '/passkeys',
    schema: {
      operationId: 'listPasskeys',
      tags,
      summary: 'The passkeys of the signed-in user',
      response: { 200: PasskeyList },
    },
    docs: { auth: 'any', errors: { 401: anonymous, 503: unavailable } },
    before: [currentUser(), caller],
    handler: async ({ principal }) => (await management.list(rowOf(principal))).map(view),
  }

  const rename: OwnRoute = {
    method: 'PATCH',
    url: '/passkeys/:id',
    schema: {
      operationId: 'renamePasskey',
      tags,
      summary: 'Rename a passkey',
      params: PasskeyParams,
      body: RenamePasskey,
      response: { 200: PasskeyBody },
    },
    docs: {
      auth: 'any',
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: anonymous,
        403: refused,
        404: unknown,
        503: unavailable,
      },
    },
    before,
    async handler(request: RenameRequest) {
      const { id } = request.params
      return view(await management.rename(rowOf(request.principal), id, request.body.name))
    },
  }

  const remove: OwnRoute = {
    method: 'DELETE',
    url: '/passkeys/:id',
    schema: {
      operationId: 'deletePasskey',
      tags,
      summary: 'Remove a passkey',
      params: PasskeyParams,
      response: { 200: Detail },
    },
    docs: {
      auth: 'any',
      errors: {
        401: anonymous,
        403: `${stale}, or the account must have a second factor (CRUDAUTH_FORBIDDEN). ${refused}`,
        404: unknown,
        409: 'It is the only way to sign in (CRUDAUTH_LAST_SIGN_IN_METHOD)',
        503: unavailable,
      },
    },
    before: beforeFresh,
    async handler(request: FastifyRequest<{ Params: Params }>) {
      await management.remove(rowOf(request.principal), request.params.id, request)
      return { detail: 'Passkey removed' }
    },
  }

  return [options, verify, list, rename, remove]
}
