import { Type } from '@sinclair/typebox'
import { body, Flag, maxPasswordLength, UserIdOut } from './common.js'

/** Body of a login, as form or JSON. No minimum length: a short password is just a wrong one. */
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
