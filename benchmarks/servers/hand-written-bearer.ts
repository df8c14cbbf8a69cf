import { randomBytes } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import { handWrittenUsers, meOf } from '../lib/hand-written.js'
import { type Me, meCase, meSchema, secret, unauthorized } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf } from '../lib/settings.js'

/**
 * The minimum cost of an access token with its user: the token from the verifier's cache, and one
 * row by its primary key. It ignores password changes, duplicate headers, non-canonical tokens and
 * outages.
 */
await serve(async (settings) => {
  const findUser = await handWrittenUsers(settings)
  const sign = createSigner({
    key: secret,
    algorithm: 'HS256',
    header: { alg: 'HS256', typ: 'at+jwt', kid: 'x'.repeat(11) },
  })
  // The token itself as the cache key, like the plugin. The default, a digest, is slower.
  // fast-jwt prints a warning about this at start-up.
  const verify = createVerifier({
    key: secret,
    algorithms: ['HS256'],
    cache: true,
    cacheKeyBuilder: (token) => token,
  })

  const idOf = (authorization: string | undefined) => {
    if (!authorization?.startsWith('Bearer ')) return undefined
    try {
      return Number(verify(authorization.slice(7)).sub)
    } catch {
      return undefined
    }
  }

  const app = Fastify()
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (request): Promise<Me> => {
    const id = idOf(request.headers.authorization)
    const user = id === undefined ? undefined : await findUser(id)
    if (!user?.is_active) throw unauthorized()
    return meOf(user, 'bearer')
  })

  const seconds = Math.floor(Date.now() / 1000)
  const me = Array.from(activeOf(settings).keys(), (index) => {
    // The same claims as the plugin, so that the tokens have the same length.
    const token = sign({
      sub: String(index + 1),
      idt: 'n',
      ver: 0,
      eph: randomBytes(8).toString('base64url'),
      scope: '',
      typ: 'access',
      iat: seconds,
      exp: seconds + 86_400,
      auth_time: seconds,
      jti: randomBytes(16).toString('base64url'),
    })
    return meCase(index, { authorization: `Bearer ${token}` }, 'bearer')
  })
  return { app, cases: { me } }
})
