import { Type } from '@sinclair/typebox'
import { body, maxPasswordLength } from './common.js'

/** Form and JSON alike; a password too short to be valid is simply wrong. */
export const Login = body({
  username: Type.String({ maxLength: 320 }),
  password: Type.String({ maxLength: maxPasswordLength }),
  remember_me: Type.Optional(Type.Union([Type.Boolean(), Type.String({ enum: ['true', '1', 'on', 'false', '0', 'off', ''] })]))
})

export const LoggedIn = Type.Object({
  id: Type.Union([Type.Integer(), Type.String()]),
  username: Type.Union([Type.String(), Type.Null()]),
  csrf_token: Type.Union([Type.String(), Type.Null()])
})
