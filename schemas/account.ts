import { body, PasswordInput, UserIdOut } from './common.js'
import { Type } from './type.js'

/** The login fields a body may carry. The service judges their form. */
export const loginFieldSchemas = {
  email: Type.String({ minLength: 3, maxLength: 320 }),
  username: Type.String({ minLength: 1, maxLength: 256 }),
} as const

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
