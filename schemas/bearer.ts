import { Type } from '@sinclair/typebox'
import { body, maxPasswordLength } from './common.js'

/** Body of a token request, as form or JSON (RFC 6749, 4.3.2). `grant_type` is optional. */
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

/** JSON Web Key Set (RFC 7517) with the public keys. */
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
