import { randomBytes } from 'node:crypto'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import {
  type Algorithm,
  type CredentialKey,
  coseNumbers,
  createKey,
  signWith,
} from './authenticator-keys.js'
import {
  type AssertionForgery,
  attestedDataOf,
  authenticatorDataOf,
  base64url,
  clientDataOf,
  type Flags,
  type Forgery,
  sha256,
} from './authenticator-parts.js'
import { type Cbor, encodeCbor } from './cbor.js'

export interface AuthenticatorOptions {
  /** Origin of the page that asks. */
  readonly origin: string
  /** For options that name no relying party. Default: the host of the origin. */
  readonly rpId?: string
  readonly alg?: Algorithm
  readonly aaguid?: string
  readonly transports?: readonly string[]
  /** Counts signatures, or stays at 0 as synchronized passkeys do. Default: true. */
  readonly counts?: boolean
  /** Whether it can verify the user, for example with a PIN. Default: true. */
  readonly verifiesUser?: boolean
  /** Whether its credentials are backed up. Default: false. */
  readonly isSynced?: boolean
}

/** A credential on the device. */
export interface StoredCredential {
  /** Base64url. */
  readonly id: string
  readonly rpId: string
  /** Base64url. */
  readonly userHandle: string
  readonly key: CredentialKey
  readonly isResident: boolean
  counter: number
}

/** A software authenticator, with the browser in front of it. */
export interface Authenticator {
  readonly credentials: readonly StoredCredential[]
  /** Like `navigator.credentials.create`. @throws DOMException as browsers do */
  create(
    options: PublicKeyCredentialCreationOptionsJSON,
    forged?: Forgery,
  ): RegistrationResponseJSON
  /** Like `navigator.credentials.get`. @throws DOMException as browsers do */
  get(
    options: PublicKeyCredentialRequestOptionsJSON,
    forged?: AssertionForgery,
  ): AuthenticationResponseJSON
  /** A copy with the same keys and counters, which count on separately. */
  clone(): Authenticator
}

/** A page may only name its host or a parent domain of it. */
const isWithin = (rpId: string, host: string) => host === rpId || host.endsWith(`.${rpId}`)

/**
 * Creates a device for one page.
 * @example
 * const device = createAuthenticator({ origin: 'https://app.example.com' })
 * const registration = device.create(creationOptions)
 * const forged = device.get(requestOptions, { origin: 'https://evil.example' })
 */
export function createAuthenticator(
  options: AuthenticatorOptions,
  stored: readonly StoredCredential[] = [],
): Authenticator {
  const { origin, alg = 'ES256', counts = true, verifiesUser = true, isSynced = false } = options
  const credentials = stored.map((credential) => ({ ...credential }))
  const host = new URL(origin).hostname

  const admits = (rpId: string, userVerification?: string): string => {
    if (!isWithin(rpId, host)) throw new DOMException(`${rpId} is not ${host}`, 'SecurityError')
    if (userVerification === 'required' && !verifiesUser)
      throw new DOMException('The user cannot be verified', 'NotAllowedError')
    return rpId
  }
  const flagsOf = (own: Flags, forged: Forgery): Flags => ({
    up: true,
    uv: verifiesUser,
    be: isSynced,
    bs: isSynced,
    ...own,
    ...forged.flags,
  })
  const envelope = (id: string, forged: Forgery) => {
    const { encode = base64url, credentialId = Buffer.from(id, 'base64url') } = forged
    return {
      id: forged.id ?? encode(credentialId, 'id'),
      rawId: forged.rawId ?? encode(credentialId, 'rawId'),
      type: (forged.credentialType ?? 'public-key') as 'public-key',
      authenticatorAttachment: 'platform' as const,
      clientExtensionResults: {},
    }
  }

  return {
    credentials,

    create(request, forged = {}) {
      const { rp, user, authenticatorSelection: selection, excludeCredentials = [] } = request
      const rpId = admits(rp.id ?? options.rpId ?? host, selection?.userVerification)
      if (!request.pubKeyCredParams.some((parameters) => parameters.alg === coseNumbers[alg]))
        throw new DOMException(`${alg} is not wanted`, 'NotSupportedError')
      const isExcluded = ({ id }: StoredCredential) =>
        excludeCredentials.some((excluded) => excluded.id === id)
      if (credentials.some((known) => known.rpId === rpId && isExcluded(known)))
        throw new DOMException('There is a credential already', 'InvalidStateError')

      const id = Buffer.from(forged.credentialId ?? randomBytes(32))
      const credential = {
        id: base64url(id),
        rpId,
        userHandle: user.id,
        key: forged.key ?? createKey(alg),
        isResident: ['required', 'preferred'].includes(selection?.residentKey ?? ''),
        counter: 0,
      }
      credentials.push(credential)
      const aaguid = options.aaguid ?? '00000000-0000-0000-0000-000000000000'
      const authData = authenticatorDataOf(
        forged.rpId ?? rpId,
        flagsOf({ at: true }, forged),
        forged.counter ?? 0,
        forged.flags?.at === false ? undefined : attestedDataOf(aaguid, id, credential.key),
      )
      const attestation = encodeCbor(
        new Map<string, Cbor>([
          ['fmt', forged.attestation?.fmt ?? 'none'],
          ['attStmt', forged.attestation?.attStmt ?? new Map()],
          ['authData', authData],
        ]),
      )
      const clientData = clientDataOf('webauthn.create', request.challenge, origin, forged)
      const { encode = base64url } = forged
      return {
        ...envelope(credential.id, forged),
        response: {
          clientDataJSON: encode(clientData, 'clientDataJSON'),
          attestationObject: encode(attestation, 'attestationObject'),
          transports: [...(options.transports ?? ['internal'])],
        },
      }
    },

    get(request, forged = {}) {
      const rpId = admits(request.rpId ?? options.rpId ?? host, request.userVerification)
      const allowed = request.allowCredentials ?? []
      const fits = (known: StoredCredential) =>
        known.rpId === rpId &&
        (allowed.length === 0 ? known.isResident : allowed.some(({ id }) => id === known.id)) &&
        (forged.use === undefined || forged.use === known.id)
      const credential = credentials.findLast(fits)
      if (!credential) throw new DOMException('There is no credential', 'NotAllowedError')
      if (counts) credential.counter++

      const authData = authenticatorDataOf(
        forged.rpId ?? rpId,
        flagsOf({}, forged),
        forged.counter ?? credential.counter,
      )
      const clientData = clientDataOf('webauthn.get', request.challenge, origin, forged)
      const signed = Buffer.concat([authData, sha256(clientData)])
      const signature = forged.signature ?? signWith(forged.key ?? credential.key, signed)
      const { userHandle } = { userHandle: credential.userHandle, ...forged }
      const { encode = base64url } = forged
      return {
        ...envelope(credential.id, forged),
        response: {
          clientDataJSON: encode(clientData, 'clientDataJSON'),
          authenticatorData: encode(authData, 'authenticatorData'),
          signature: encode(signature, 'signature'),
          ...(userHandle !== undefined && { userHandle }),
        },
      }
    },

    clone: () => createAuthenticator(options, credentials),
  }
}
