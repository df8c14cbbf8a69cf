import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import type { Passkey } from '../../ports/passkey-store.js'
import type { PasskeyChallenge } from './challenges.js'
import type { PasskeySettings } from './options.js'

/** A credential that a browser has created. */
type NewCredential = Pick<
  Passkey,
  'credentialId' | 'publicKey' | 'counter' | 'transports' | 'aaguid' | 'backedUp'
>

/** What an authenticator has signed. */
export interface Assertion {
  readonly counter: number
  readonly backedUp: boolean
  /** Whether the authenticator has verified its user. */
  readonly userVerified: boolean
}

/** The ceremonies of WebAuthn. Everything that `@simplewebauthn/server` does happens here. */
export interface WebAuthn {
  /** `PublicKeyCredentialCreationOptionsJSON`. */
  creationOptions(of: {
    readonly challenge: string
    readonly userHandle: string
    readonly userName: string
    readonly displayName: string
    readonly known: readonly Passkey[]
  }): Promise<Readonly<Record<string, unknown>>>
  /** `PublicKeyCredentialRequestOptionsJSON`. @param allowed null for any passkey of this app */
  requestOptions(of: {
    readonly challenge: string
    readonly allowed: readonly Passkey[] | null
    readonly verifiesUser: boolean
  }): Promise<Readonly<Record<string, unknown>>>
  /** The credential. Null for a response that isn't the right answer to the challenge. */
  readRegistration(challenge: PasskeyChallenge, response: unknown): Promise<NewCredential | null>
  /**
   * What a passkey has signed. Null for a response that isn't the right answer to the challenge. The
   * counter isn't judged.
   */
  readAssertion(
    challenge: PasskeyChallenge,
    passkey: Passkey,
    response: unknown,
    verifiesUser: boolean,
  ): Promise<Assertion | null>
}

/**
 * EdDSA, ES256 and RS256, which all authenticators and every supported Node.js know. The library's
 * default depends on the Node.js that runs it, so a passkey could stop working on another server.
 */
const algorithms = [-8, -7, -257]

/** WebAuthn Level 3, 7.1: longer ids are invalid. */
const maxCredentialIdBytes = 1023

/** Keys of the algorithms above are far smaller. Stores have columns for less than this. */
const maxPublicKeyLength = 4095

/** Text as WebAuthn encodes bytes: base64url in its one canonical form. */
const isCanonical = (value: unknown): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  Buffer.from(value, 'base64url').toString('base64url') === value

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/**
 * Whether a response has the form of one. The library checks most of it, but not that a page in a
 * frame of another site asked for it (`crossOrigin`), nor the length of the id.
 */
function isWellFormed(response: unknown, members: readonly string[]): boolean {
  if (!isObject(response) || !isObject(response.response)) return false
  const { id, rawId, type, response: inner } = response
  if (!isCanonical(id) || id !== rawId || type !== 'public-key') return false
  if (Buffer.byteLength(id, 'base64url') > maxCredentialIdBytes) return false
  if (!members.every((member) => isCanonical(inner[member]))) return false
  const client: unknown = JSON.parse(
    Buffer.from(inner.clientDataJSON as string, 'base64url').toString('utf8'),
  )
  return (
    isObject(client) &&
    (client.crossOrigin === undefined || client.crossOrigin === false) &&
    client.topOrigin === undefined
  )
}

const transportForm = /^[a-z-]{1,28}$/

/** At most 8, so that they fit into 255 characters of JSON. */
const transportsOf = (transports: unknown): string[] =>
  Array.isArray(transports)
    ? [...new Set(transports.filter((each) => transportForm.test(String(each))))].slice(0, 8)
    : []

/** Null for any error: whatever a client sends, the answer is that it is wrong. */
const orNull = async <T>(work: () => Promise<T | null>): Promise<T | null> => {
  try {
    return await work()
  } catch {
    return null
  }
}

/** Loaded when it is needed: most requests and many processes never use it. */
const load = () => import('@simplewebauthn/server')

/**
 * The response without its statement about the authenticator. The library would verify the
 * certificates in it, and fetch the revocation lists that they name, from wherever a client likes.
 */
async function withoutStatement(
  response: RegistrationResponseJSON,
): Promise<RegistrationResponseJSON> {
  const helpers = await import('@simplewebauthn/server/helpers')
  const { isoBase64URL, isoCBOR } = helpers
  const given = isoBase64URL.toBuffer(response.response.attestationObject)
  const bare = new Map<string, Parameters<typeof isoCBOR.encode>[0]>([
    ['fmt', 'none'],
    ['attStmt', new Map()],
    ['authData', helpers.decodeAttestationObject(given).get('authData')],
  ])
  const attestationObject = isoBase64URL.fromBuffer(isoCBOR.encode(bare))
  return { ...response, response: { ...response.response, attestationObject } }
}

export function createWebAuthn(settings: PasskeySettings): WebAuthn {
  const { rpName, rpId, userVerification, attestation, challengeSeconds } = settings
  const timeout = challengeSeconds * 1000
  const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
  const descriptors = (passkeys: readonly Passkey[]) =>
    passkeys.map(({ credentialId, transports }) => ({
      id: credentialId,
      transports: [...transports],
    }))
  const isVerificationRequired = userVerification === 'required'

  return {
    async creationOptions({ challenge, userHandle, userName, displayName, known }) {
      const { generateRegistrationOptions } = await load()
      return {
        ...(await generateRegistrationOptions({
          rpName,
          rpID: rpId,
          userName,
          userID: bytesOf(userHandle),
          userDisplayName: displayName,
          challenge: bytesOf(challenge),
          timeout,
          attestationType: attestation,
          excludeCredentials: descriptors(known),
          authenticatorSelection: { residentKey: 'preferred', userVerification },
          supportedAlgorithmIDs: algorithms,
        })),
      }
    },

    async requestOptions({ challenge, allowed, verifiesUser }) {
      const { generateAuthenticationOptions } = await load()
      return {
        ...(await generateAuthenticationOptions({
          rpID: rpId,
          challenge: bytesOf(challenge),
          timeout,
          userVerification: verifiesUser ? 'required' : userVerification,
          ...(allowed && { allowCredentials: descriptors(allowed) }),
        })),
      }
    },

    async readRegistration({ challenge, origins, rpId: expectedRPID }, response) {
      const { verifyRegistrationResponse } = await load()
      return orNull(async () => {
        if (!isWellFormed(response, ['clientDataJSON', 'attestationObject'])) return null
        const given = response as RegistrationResponseJSON
        const { verified, registrationInfo: info } = await verifyRegistrationResponse({
          response: await withoutStatement(given),
          expectedChallenge: challenge,
          expectedOrigin: [...origins],
          expectedRPID,
          requireUserVerification: isVerificationRequired,
          supportedAlgorithmIDs: algorithms,
        })
        // The id outside the signed data must be the one inside.
        if (!verified || info.credential.id !== given.id) return null
        const publicKey = Buffer.from(info.credential.publicKey).toString('base64url')
        if (publicKey.length > maxPublicKeyLength) return null
        return {
          credentialId: info.credential.id,
          publicKey,
          counter: info.credential.counter,
          transports: transportsOf(given.response.transports),
          aaguid: info.aaguid,
          backedUp: info.credentialBackedUp,
        }
      })
    },

    async readAssertion({ challenge, origins, rpId: expectedRPID }, passkey, response, verifies) {
      const { verifyAuthenticationResponse } = await load()
      return orNull(async () => {
        if (!isWellFormed(response, ['clientDataJSON', 'authenticatorData', 'signature']))
          return null
        const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
          response: response as AuthenticationResponseJSON,
          expectedChallenge: challenge,
          expectedOrigin: [...origins],
          expectedRPID,
          requireUserVerification: verifies || isVerificationRequired,
          credential: {
            id: passkey.credentialId,
            publicKey: bytesOf(passkey.publicKey),
            // The library refuses an old counter before it looks at the signature. Then anyone could
            // report a cloned passkey. It is judged after the signature.
            counter: 0,
          },
        })
        if (!verified) return null
        return {
          counter: info.newCounter,
          backedUp: info.credentialBackedUp,
          userVerified: info.userVerified,
        }
      })
    },
  }
}
