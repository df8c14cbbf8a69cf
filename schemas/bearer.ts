import { Type } from '@sinclair/typebox'
import { body, maxPasswordLength } from './common.js'

/** Form and JSON alike (RFC 6749, 4.3.2, whose `grant_type` is tolerated). */
export const TokenRequest = body({
  username: Type.String({ maxLength: 320, description: 'Email or username' }),
  password: Type.String({ maxLength: maxPasswordLength }),
  scope: Type.Optional(
    Type.String({ maxLength: 2048, description: 'Scopes, separated by spaces' }),
  ),
  grant_type: Type.Optional(Type.Literal('password')),
})

export const Tokens = Type.Object({
  access_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds' }),
  scope: Type.String(),
  refresh_token: Type.Optional(Type.String()),
})

/** JSON Web Key Set (RFC 7517) of public keys. */
export const KeySet = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      kid: Type.String(),
      alg: Type.String(),
      use: Type.Literal('sig'),
      crv: Type.Optional(Type.String()),
      x: Type.Optional(Type.String()),
      y: Type.Optional(Type.String()),
      n: Type.Optional(Type.String()),
      e: Type.Optional(Type.String()),
    }),
  ),
})
