import { type TSchema, Type } from '@sinclair/typebox'
import { Tokens } from './bearer.js'
import { body, Flag, maxPasswordLength } from './common.js'
import { ProviderSignIn } from './oauth.js'
import { PasskeyAssertion, PasskeyChallengeId } from './passkeys.js'
import { LoggedIn } from './session.js'

const Secret = Type.String({ description: 'Base32, to type into an authenticator app' })
const OtpauthUri = Type.String({ description: 'The same as `otpauth://` URI, for a QR code' })

/** A new TOTP secret. */
export const TotpSetup = Type.Object({ secret: Secret, otpauth_uri: OtpauthUri })

/** Response to a sign-in whose password or provider was right, but that needs a second factor. */
export const MfaChallenge = Type.Object({
  mfa_required: Type.Literal(true),
  challenge: Type.String({ description: 'For POST /mfa/verify' }),
  expires_in: Type.Integer({ description: 'Seconds' }),
  setup: Type.Optional(TotpSetup),
})

/** The response of a sign-in, or its challenge where second factors are configured. */
export const orChallenge = (response: TSchema, hasSecondFactor: boolean): TSchema =>
  hasSecondFactor ? Type.Union([response, MfaChallenge]) : response

const Challenge = Type.String({ maxLength: 128, description: 'From the response of the sign-in' })
const Code = Type.String({ maxLength: 64 })

const remember_device = Type.Optional(Type.Union([Type.Boolean(), Flag]))

/** Body of the second step of a sign-in. */
export const VerifyMfa = body({
  challenge: Challenge,
  code: Type.String({
    maxLength: 64,
    description: 'Six digits of an authenticator app, or a recovery code',
  }),
  remember_device,
})

/** Body of the second step of a sign-in, with a passkey. */
export const VerifyMfaPasskey = body({
  challenge: Challenge,
  challenge_id: PasskeyChallengeId,
  response: PasskeyAssertion,
  remember_device,
})

export const ChallengeRequest = body({ challenge: Challenge })

/** What a challenge asks for. */
export const ChallengeInfo = Type.Object({
  setup: Type.Union([TotpSetup, Type.Null()], { description: 'Null for an enrolled account' }),
  methods: Type.Array(Type.String(), { description: '`totp`, `recovery_code`, `passkey`' }),
})

export const MfaStatus = Type.Object({
  enabled: Type.Boolean(),
  required: Type.Boolean({ description: 'Whether the app requires it of this account' }),
  recovery_codes_remaining: Type.Integer(),
})

export const SetupTotp = Type.Union([
  body({ password: Type.Optional(Type.String({ maxLength: maxPasswordLength })) }),
  Type.Null(),
])

export const MfaCode = body({ code: Code })

export const RecoveryCodes = Type.Object({
  recovery_codes: Type.Array(Type.String(), { description: 'Shown once' }),
})

const Further = Type.Object({
  recovery_codes: Type.Optional(
    Type.Array(Type.String(), { description: 'After a setup; shown once' }),
  ),
  redirect_to: Type.Optional(
    Type.Union([Type.String(), Type.Null()], {
      description: 'After a sign-in with a provider: where it was meant to go on',
    }),
  ),
})

/** Response of `POST /mfa/verify`, where the sign-in was one at `/login`. */
export const VerifiedSession = Type.Composite([LoggedIn, Further])

/** Response of `POST /mfa/verify`, where the sign-in was one at `/token`. */
export const VerifiedTokens = Type.Composite([Tokens, Further])

/** Response of `POST /mfa/verify`, where the sign-in was one with a provider in JSON mode. */
export const VerifiedProvider = Type.Composite([ProviderSignIn, Further])

/** Response of `POST /mfa/verify` for the sign-ins that are configured. */
export function verified({
  transports,
  hasProviderBody,
}: {
  readonly transports: readonly string[]
  readonly hasProviderBody: boolean
}): TSchema {
  const known: Readonly<Record<string, TSchema>> = {
    session: VerifiedSession,
    bearer: VerifiedTokens,
  }
  const schemas = [
    // The body of a transport of the app. First, because the serializer takes the first that fits.
    ...(transports.every((name) => known[name])
      ? []
      : [Type.Object({}, { additionalProperties: true })]),
    ...transports.flatMap((name) => known[name] ?? []),
    ...(hasProviderBody ? [VerifiedProvider] : []),
  ]
  return Type.Union(schemas)
}
