import { type Static, Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { isTruthy } from '../../../schemas/common.js'
import {
  ChallengeInfo,
  ChallengeRequest,
  VerifyMfa,
  VerifyMfaPasskey,
  verified,
} from '../../../schemas/mfa.js'
import { PasskeyOptions } from '../../../schemas/passkeys.js'
import { hasPasskey } from '../../core/sign-in/passkey-factor.js'
import { BadRequestError } from '../../errors.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { manageRoutes } from './manage-routes.js'
import type { MfaServices } from './services.js'
import { passkeyPurpose } from './verification.js'

type VerifyBody = Static<typeof VerifyMfa> | Static<typeof VerifyMfaPasskey>

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
  return [
    verifyRoute(services),
    challengeRoute(services),
    ...passkeyRoute(services),
    ...manageRoutes(services),
  ]
})

function verifyRoute({ verification, signIns }: MfaServices): OwnRoute {
  return {
    method: 'POST',
    url: '/mfa/verify',
    schema: {
      operationId: 'verifyMfa',
      tags,
      summary: 'Finish a sign-in with a code of the second factor',
      body: signIns.passkeys ? Type.Union([VerifyMfa, VerifyMfaPasskey]) : VerifyMfa,
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
    handler: (request: FastifyRequest<{ Body: VerifyBody }>, reply) => {
      const { body } = request
      const proof = 'code' in body ? { code: body.code } : { passkey: body }
      return verification.verify(request, reply, {
        challenge: body.challenge,
        proof,
        rememberDevice: isTruthy(body.remember_device),
      })
    },
  }
}

/** Not mounted without passkeys. */
function passkeyRoute({ verification, signIns, rateLimit, limits }: MfaServices): OwnRoute[] {
  const { passkeys } = signIns
  if (!passkeys) return []
  const route: OwnRoute = {
    method: 'POST',
    url: '/mfa/passkey/options',
    schema: {
      operationId: 'mfaPasskeyOptions',
      tags,
      summary: 'Options to answer a challenge with a passkey',
      body: ChallengeRequest,
      response: { 200: PasskeyOptions },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: `${invalidChallenge}; or the account has no passkey (CRUDAUTH_BAD_REQUEST)`,
        429: 'Too many requests (CRUDAUTH_RATE_LIMITED)',
        503: unavailable,
      },
    },
    isPublic: true,
    before: [rateLimit('passkey_options', limits.passkey_options)],
    async handler(request: FastifyRequest<{ Body: Static<typeof ChallengeRequest> }>) {
      const challenge = await verification.find(request, request.body.challenge)
      const user = await verification.accountOf(challenge)
      // Whoever sets up a factor has no passkey, or the challenge would have ended.
      const begun = await passkeys.begin(request, user, passkeyPurpose(challenge))
      if (!begun) throw new BadRequestError('The account has no passkey')
      return begun
    },
  }
  return [route]
}

function challengeRoute({ verification, enrollment, signIns, setupOf }: MfaServices): OwnRoute {
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
      const user = await verification.accountOf(challenge)
      if (challenge.secret !== null)
        return { setup: setupOf(user, challenge.secret), methods: ['totp'] }
      const methods = [
        ...(enrollment.isEnrolled(user) ? ['totp'] : []),
        ...(enrollment.remaining(user) > 0 ? ['recovery_code'] : []),
        ...((await hasPasskey(signIns, user)) ? ['passkey'] : []),
      ]
      return { setup: null, methods }
    },
  }
}
