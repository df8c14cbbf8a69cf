import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { isTruthy } from '../../../schemas/common.js'
import { orChallenge } from '../../../schemas/mfa.js'
import {
  PasskeyLogin,
  PasskeyLoginOptions,
  PasskeyOptions,
  passkeySignedIn,
} from '../../../schemas/passkeys.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { manageRoutes } from './manage-routes.js'
import type { PasskeyServices } from './services.js'

const tags = ['passkeys']
const unavailable = 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)'

/**
 * `POST /passkeys/login/options` and `/verify`, and the routes by which users add and manage
 * passkeys.
 * @example
 * app.register(crudAuth, { secret, users, passkeys: { rpName: 'Example', store }, routes: false })
 * app.register(passkeyRoutes, { prefix: '/auth' })
 */
export const passkeyRoutes = defineGroup('passkeys', (app) => {
  const needs = 'The "passkeys" routes need the option "passkeys"'
  const services = servicesOf<PasskeyServices>(app, 'passkeys', needs)
  return [optionsRoute(services), verifyRoute(services), ...manageRoutes(services)]
})

function optionsRoute({ signIn, rateLimit, limits }: PasskeyServices): OwnRoute {
  return {
    method: 'POST',
    url: '/passkeys/login/options',
    schema: {
      operationId: 'passkeyLoginOptions',
      tags,
      summary: 'Options to sign in with a passkey',
      body: PasskeyLoginOptions,
      response: { 200: PasskeyOptions },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        429: 'Too many requests (CRUDAUTH_RATE_LIMITED)',
        503: 'Redis is unreachable (CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: [rateLimit('passkey_options', limits.passkey_options)],
    handler: (request) => signIn.begin(request),
  }
}

function verifyRoute({ signIn, signIns }: PasskeyServices): OwnRoute {
  return {
    method: 'POST',
    url: '/passkeys/login/verify',
    schema: {
      operationId: 'passkeyLogin',
      tags,
      summary: 'Sign in with a passkey',
      body: PasskeyLogin,
      response: {
        200: orChallenge(
          passkeySignedIn([...signIns.transports.keys()]),
          signIns.secondFactor !== null,
        ),
      },
    },
    docs: {
      auth: 'none',
      errors: {
        400: 'An unknown transport, or a malformed body (CRUDAUTH_BAD_REQUEST, FST_ERR_VALIDATION)',
        401: 'The challenge is unknown, expired or used, or the passkey is not accepted; the response is the same for all (CRUDAUTH_BAD_CREDENTIALS)',
        403: 'Cross-site request, or refused by the app (CRUDAUTH_CROSS_SITE, CRUDAUTH_FORBIDDEN)',
        413: 'Body above 16 KiB',
        415: 'Not JSON',
        429: 'Too many wrong attempts from this IP address (CRUDAUTH_LOCKED_OUT)',
        503: unavailable,
      },
    },
    isPublic: true,
    before: [],
    handler(request: FastifyRequest<{ Body: Static<typeof PasskeyLogin> }>, reply) {
      const { remember_me, scope, ...answer } = request.body
      const asked = scope?.split(' ').filter(Boolean) ?? []
      return signIn.finish(request, reply, {
        ...answer,
        rememberMe: isTruthy(remember_me),
        scopes: asked.length > 0 ? asked : undefined,
      })
    },
  }
}
