import { Type } from '@sinclair/typebox'
import { body, Flag, redirectTo, UserIdOut } from './common.js'

/** Fastify's router limits parameters to 100 characters by default. */
export const ProviderParams = Type.Object({ provider: Type.String({ maxLength: 100 }) })

/** Only limits the length: a path that isn't same-origin is replaced by the default redirect. */
export const AuthorizeQuery = Type.Object({
  redirect_to: Type.Optional(
    Type.String({ maxLength: 2048, description: 'Path of the same origin to land on' }),
  ),
  remember_me: Type.Optional(Flag),
})

export const LinkRequest = Type.Union([
  body({
    redirect_to: redirectTo('Path of the same origin to land on'),
  }),
  Type.Null(),
])

export const AuthorizeUrl = Type.Object({
  authorize_url: Type.String({ description: 'Where to send the browser' }),
})

const RedirectTo = Type.Union([Type.String(), Type.Null()], {
  description: 'As it was given at the start',
})

/** Response in JSON mode: where to send the browser. */
export const SignInUrl = Type.Object({
  url: Type.String({ description: 'Where to send the browser' }),
})

/** Response in JSON mode after a sign-in. */
export const ProviderSignIn = Type.Object({
  user: Type.Object({
    user_id: UserIdOut,
    username: Type.Union([Type.String(), Type.Null()]),
    email: Type.Union([Type.String(), Type.Null()]),
    is_superuser: Type.Boolean(),
  }),
  csrf_token: Type.Union([Type.String(), Type.Null()], { description: 'Null with CSRF off' }),
  redirect_to: RedirectTo,
})

/** Response in JSON mode after linking a provider. */
export const ProviderLinked = Type.Object({ provider: Type.String(), redirect_to: RedirectTo })

export const LinkedAccounts = Type.Array(
  Type.Object({
    provider: Type.String(),
    email: Type.Union([Type.String(), Type.Null()], { description: 'Null where it is not kept' }),
    linked_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'Null where it is not kept',
    }),
  }),
)

/** Body of a posted callback. Other members are ignored. */
export const PostedCallback = body({
  code: Type.Optional(Type.String({ maxLength: 4096 })),
  state: Type.Optional(Type.String({ maxLength: 512 })),
  iss: Type.Optional(Type.String({ maxLength: 512 })),
  error: Type.Optional(Type.String({ maxLength: 256 })),
  user: Type.Optional(Type.String({ maxLength: 2048 })),
})
