import { type TSchema, type TUnsafe, Type } from '@sinclair/typebox'
import { body, loginFieldSchemas, PasswordInput, redirectTo } from './common.js'

const RedirectTo = redirectTo(
  'Path of the same origin where the page goes on; comes back from the confirmation',
)
const Token = Type.String({ minLength: 1, maxLength: 128 })

const phone = Type.String({
  minLength: 8,
  maxLength: 16,
  description: 'E.164, such as +4915112345678',
})
const text = Type.String({ minLength: 1, maxLength: 256 })

/** Schema of a recovery field. The service checks the form of the value. */
export const factorSchema = (field: string): TSchema =>
  field === 'email' ? loginFieldSchemas.email : field === 'phone' ? phone : text

/** Body of requests that send a message: `{"email"}`, `{"phone"}` or another recovery field. */
export const factorRequest = (field: string, schema: object) =>
  body({ [field]: schema as TUnsafe<string>, redirect_to: RedirectTo })

export const ConfirmToken = body({ token: Token })

export const ResetPassword = body({ token: Token, new_password: PasswordInput })

export const ChangeEmail = body({
  new_email: loginFieldSchemas.email,
  password: PasswordInput,
  redirect_to: RedirectTo,
})

/** @param email schema of the app for addresses */
export const changeEmail = (email?: object) =>
  email === undefined
    ? ChangeEmail
    : body({ ...ChangeEmail.properties, new_email: email as TUnsafe<string> })

/** Response after a token was confirmed. */
export const Confirmed = Type.Object({
  detail: Type.String(),
  redirect_to: Type.Optional(Type.String({ description: 'As it was given with the request' })),
})
