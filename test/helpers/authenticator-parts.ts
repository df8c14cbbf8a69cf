import { createHash } from 'node:crypto'
import type { CredentialKey } from './authenticator-keys.js'
import type { Cbor } from './cbor.js'

/** Flags of authenticator data (WebAuthn Level 3, section 6.1), by their bits. */
const flagBits = { up: 0, uv: 2, be: 3, bs: 4, at: 6, ed: 7 } as const

export type Flags = Partial<Record<keyof typeof flagBits, boolean>>

/** What an attacker, or a broken device, changes in a response. All else stays right. */
export interface Forgery {
  /** Members of the client data. */
  readonly type?: string
  readonly challenge?: string
  readonly origin?: string
  readonly crossOrigin?: boolean
  readonly topOrigin?: string
  /** Further members of the client data, or other values of those above. */
  readonly clientData?: Readonly<Record<string, unknown>>
  /** The relying party whose hash is in the authenticator data. */
  readonly rpId?: string
  readonly flags?: Flags
  readonly counter?: number
  /** The id in the response and, at `create`, in the authenticator data. */
  readonly credentialId?: Uint8Array
  /** The text of `id` or `rawId` alone. */
  readonly id?: string
  readonly rawId?: string
  readonly credentialType?: string
  /** The key of the new credential, or that of another one, which signs. */
  readonly key?: CredentialKey
  /** The attestation, in place of none. */
  readonly attestation?: { readonly fmt: string; readonly attStmt: Cbor }
  /** Writes bytes as text. Default: base64url. See `looseBase64url`. */
  readonly encode?: (bytes: Uint8Array, member: string) => string
}

export interface AssertionForgery extends Forgery {
  /** Base64url. Undefined leaves it out. */
  readonly userHandle?: string | undefined
  readonly signature?: Uint8Array
  /** Id of the credential to choose. Default: the newest one that fits. */
  readonly use?: string
}

export const sha256 = (data: string | Uint8Array): Buffer =>
  createHash('sha256').update(data).digest()

export const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Another text for the same bytes: with unused bits set, or with padding where every bit is used. */
export function looseBase64url(bytes: Uint8Array): string {
  const text = base64url(bytes)
  if (bytes.length % 3 === 0) return `${text}=`
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) as string) + 1]
}

export function clientDataOf(
  kind: 'webauthn.create' | 'webauthn.get',
  challenge: string,
  origin: string,
  forged: Forgery,
): Buffer {
  const data = {
    type: forged.type ?? kind,
    challenge: forged.challenge ?? challenge,
    origin: forged.origin ?? origin,
    crossOrigin: forged.crossOrigin ?? false,
    ...(forged.topOrigin !== undefined && { topOrigin: forged.topOrigin }),
    ...forged.clientData,
  }
  return Buffer.from(JSON.stringify(data))
}

/** @param attested AAGUID, credential id and public key of a new credential */
export function authenticatorDataOf(
  rpId: string,
  flags: Flags,
  counter: number,
  attested: Uint8Array = new Uint8Array(),
): Buffer {
  let bits = 0
  for (const [name, bit] of Object.entries(flagBits))
    if (flags[name as keyof Flags]) bits |= 1 << bit
  const tail = Buffer.alloc(5)
  tail.writeUInt8(bits)
  tail.writeUInt32BE(counter, 1)
  return Buffer.concat([sha256(rpId), tail, attested])
}

export function attestedDataOf(aaguid: string, id: Uint8Array, { cose }: CredentialKey): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(id.length)
  return Buffer.concat([Buffer.from(aaguid.replaceAll('-', ''), 'hex'), length, id, cose])
}
