import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { isTruthy } from '../../../schemas/common.js'
import { ChallengeInfo, ChallengeRequest, VerifyMfa, verified } from '../../../schemas/mfa.js'
import { decodeUserId } from '../../core/users/user-id.js'
import { TokenInvalidOrUsedError } from '../../errors.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { manageRoutes } from './manage-routes.js'
import type { MfaServices } from './services.js'

const tags = ['mfa']
const unavailable = 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)'
const invalidChallenge =
  'The challenge is unknown, expired, used, out of attempts or of another browser, or the account has changed (CRUDAUTH_TOKEN_INVALID_OR_USED); or a malformed body (FST_ERR_VALIDATION)'

/**
 * `POST /mfa/verify`, `POST /mfa/challenge`, `GET /mfa`, and the routes by which users set up and
 * manage their second factor.
 * @example
 * app.register(crudAuth, { secret, users, mfa: { issuer: 'Example', encryptionKeys }, routes: false })
 * app.register(mfaRoutes, { prefix: '/auth' })
 */
export const mfaRoutes = defineGroup('mfa', (app) => {
  const services = servicesOf<MfaServices>(app, 'mfa', 'The "mfa" routes need the option "mfa"')
  return [verifyRoute(services), challengeRoute(services), ...manageRoutes(services)]
})

function verifyRoute({ verification, signIns }: MfaServices): OwnRoute {
  return {
    method: 'POST',
    url: '/mfa/verify',
    schema: {
      operationId: 'verifyMfa',
      tags,
      summary: 'Finish a sign-in with a code of the second factor',
      body: VerifyMfa,
      response: {
        200: verified({
          transports: [...signIns.transports.keys()],
          hasProviderBody: signIns.bodies.has('oauth'),
        }),
      },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: invalidChallenge,
        401: 'The code is wrong, or was used before; the challenge stays valid (CRUDAUTH_MFA_CODE)',
        403: 'Cross-site request (CRUDAUTH_CROSS_SITE)',
        413: 'Body above 16 KiB',
        415: 'Neither JSON nor a form',
        429: 'Locked out; the challenge stays valid, and the lockout is shared with the password (CRUDAUTH_LOCKED_OUT)',
        503: unavailable,
      },
    },
    isPublic: true,
    before: [],
    handler: (request: FastifyRequest<{ Body: Static<typeof VerifyMfa> }>, reply) => {
      const { challenge, code, remember_device } = request.body
      return verification.verify(request, reply, {
        challenge,
        code,
        rememberDevice: isTruthy(remember_device),
      })
    },
  }
}

function challengeRoute({ verification, users, enrollment, setupOf }: MfaServices): OwnRoute {
  return {
    method: 'POST',
    url: '/mfa/challenge',
    schema: {
      operationId: 'mfaChallenge',
      tags,
      summary: 'What a challenge asks for',
      body: ChallengeRequest,
      response: { 200: ChallengeInfo },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: { 400: invalidChallenge, 503: unavailable },
    },
    isPublic: true,
    before: [],
    async handler(request: FastifyRequest<{ Body: Static<typeof ChallengeRequest> }>) {
      const challenge = await verification.find(request, request.body.challenge)
      const id = decodeUserId(challenge.user)
      const user = id === null ? null : await users.findById(id)
      if (!verification.isStillValid(user, challenge)) throw new TokenInvalidOrUsedError()
      if (challenge.secret !== null)
        return { setup: setupOf(user, challenge.secret), methods: ['totp'] }
      const hasCodes = enrollment.remaining(user) > 0
      return { setup: null, methods: ['totp', ...(hasCodes ? ['recovery_code'] : [])] }
    },
  }
}
