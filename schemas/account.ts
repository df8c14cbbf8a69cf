import { Type } from '@sinclair/typebox'
import { body, PasswordInput, UserIdOut } from './common.js'

/** Answer of `POST /register` without a delivery channel. */
export const Registered = Type.Object({
  id: UserIdOut,
  email: Type.Union([Type.String(), Type.Null()]),
  username: Type.Union([Type.String(), Type.Null()]),
})

/** Answer of `GET /me`. */
export const Me = Type.Object({
  user_id: UserIdOut,
  username: Type.Union([Type.String(), Type.Null()]),
  email: Type.Union([Type.String(), Type.Null()]),
  is_superuser: Type.Boolean(),
  scopes: Type.Array(Type.String()),
  via: Type.String({ description: 'Name of the transport that authenticated the request' }),
})

export const SetPassword = body({ new_password: PasswordInput })

export const ChangePassword = body({ current_password: PasswordInput, new_password: PasswordInput })
