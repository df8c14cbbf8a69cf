import type { Static } from '@sinclair/typebox'
import { body, maxPasswordLength, UserIdOut } from './common.js'
import { Type } from './type.js'

/** A yes or no as forms and query strings write it; anything else is refused. */
export const Flag = Type.Union(
  ['true', '1', 'on', 'false', '0', 'off', ''].map((word) => Type.Literal(word)),
  { description: '`true`, `1`, `on` or `false`, `0`, `off`, empty' },
)

/** Whether a flag is set; an absent one is not. */
export const isTruthy = (flag: Static<typeof Flag> | boolean | undefined): boolean =>
  flag === true || flag === 'true' || flag === '1' || flag === 'on'

/** Form and JSON alike; a password too short to be valid is simply wrong. */
export const Login = body({
  username: Type.String({ maxLength: 320, description: 'Email or username' }),
  password: Type.String({ maxLength: maxPasswordLength }),
  remember_me: Type.Optional(Type.Union([Type.Boolean(), Flag])),
})

export const LoggedIn = Type.Object({
  id: UserIdOut,
  username: Type.Union([Type.String(), Type.Null()]),
  csrf_token: Type.Union([Type.String(), Type.Null()]),
})
