import { type TSchema, Type } from '@sinclair/typebox'
import { Tokens } from './bearer.js'
import { body, Flag } from './common.js'
import { LoggedIn } from './session.js'

export const PasskeyChallengeId = Type.String({ maxLength: 128, description: 'From the options' })

/** Options for `navigator.credentials`, and the id under which to send the result. */
export const PasskeyOptions = Type.Object({
  challenge_id: Type.String({ description: 'For the request that sends the result' }),
  options: Type.Object(
    {},
    {
      additionalProperties: true,
      description:
        'For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`',
    },
  ),
})

// Only the shape: what a response contains is judged like a password, not like a form.
const credential = <Response extends TSchema>(response: Response) =>
  Type.Object({
    id: Type.String(),
    rawId: Type.String(),
    type: Type.String(),
    response,
    authenticatorAttachment: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    clientExtensionResults: Type.Optional(Type.Object({}, { additionalProperties: true })),
  })

/** A `RegistrationResponseJSON`: what `credential.toJSON()` gives after `create()`. */
export const PasskeyRegistration = credential(
  Type.Object({
    clientDataJSON: Type.String(),
    attestationObject: Type.String(),
    transports: Type.Optional(Type.Array(Type.String())),
  }),
)

/** An `AuthenticationResponseJSON`: what `credential.toJSON()` gives after `get()`. */
export const PasskeyAssertion = credential(
  Type.Object({
    clientDataJSON: Type.String(),
    authenticatorData: Type.String(),
    signature: Type.String(),
    userHandle: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
)

// Some databases can't store control characters.
const Name = Type.String({
  pattern: '^(?=\\s*\\S)[^\\u0000-\\u001f\\u007f]*$',
  maxLength: 100,
})

/** A passkey of the signed-in user. */
export const Passkey = Type.Object({
  id: Type.String(),
  name: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  last_used_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  backed_up: Type.Boolean({ description: 'Whether it is synchronized between devices' }),
  transports: Type.Array(Type.String()),
})

export const PasskeyList = Type.Array(Passkey)

export const PasskeyParams = Type.Object({ id: Type.String({ maxLength: 64 }) })

export const RegisterPasskeyOptions = Type.Union([body({ name: Type.Optional(Name) }), Type.Null()])

export const RegisterPasskey = body({
  challenge_id: PasskeyChallengeId,
  response: PasskeyRegistration,
  name: Type.Optional(Name),
})

export const RenamePasskey = body({ name: Name })

/** Body of `POST /passkeys/login/options`, which needs nothing. */
export const PasskeyLoginOptions = Type.Union([body({}), Type.Null()])

export const PasskeyLogin = body({
  challenge_id: PasskeyChallengeId,
  response: PasskeyAssertion,
  transport: Type.Optional(
    Type.String({ maxLength: 64, description: 'Default: the first configured one' }),
  ),
  remember_me: Type.Optional(Type.Union([Type.Boolean(), Flag])),
  scope: Type.Optional(
    Type.String({ maxLength: 1024, description: 'Tokens: scopes, separated by spaces' }),
  ),
})

/** Response of `POST /passkeys/login/verify` for the transports that are configured. */
export function passkeySignedIn(transports: readonly string[]): TSchema {
  const known: Readonly<Record<string, TSchema>> = { session: LoggedIn, bearer: Tokens }
  return Type.Union([
    // The body of a transport of the app. First, because the serializer takes the first that fits.
    ...(transports.every((name) => known[name])
      ? []
      : [Type.Object({}, { additionalProperties: true })]),
    ...transports.flatMap((name) => known[name] ?? []),
  ])
}
