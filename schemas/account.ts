import { type TSchema, Type } from '@sinclair/typebox'
import { body, PasswordInput, UserIdOut } from './common.js'

/** Response of `POST /register` without a delivery channel. */
export const Registered = Type.Object({
  id: UserIdOut,
  email: Type.Union([Type.String(), Type.Null()]),
  username: Type.Union([Type.String(), Type.Null()]),
})

/** Response of `GET /me`. */
export const Me = Type.Object({
  id: UserIdOut,
  user_id: UserIdOut,
  username: Type.Union([Type.String(), Type.Null()]),
  email: Type.Union([Type.String(), Type.Null()]),
  email_verified: Type.Union([Type.Boolean(), Type.Null()], {
    description: 'Null where the user model does not say',
  }),
  has_password: Type.Boolean(),
  is_superuser: Type.Boolean(),
  scopes: Type.Array(Type.String()),
  via: Type.String({ description: 'Name of the transport that authenticated the request' }),
})

/** `Me` with the columns of `account.publicFields`. */
export const meSchema = (further: Readonly<Record<string, object>>) =>
  Object.keys(further).length === 0
    ? Me
    : Type.Object({ ...Me.properties, ...(further as Record<string, TSchema>) })

export const SetPassword = body({ new_password: PasswordInput })

export const ChangePassword = body({ current_password: PasswordInput, new_password: PasswordInput })
