import type { Static } from '@sinclair/typebox'
import type { PasskeyAssertion, PasskeyRegistration } from '../../schemas/passkeys.js'
import { type BrowserCredential, browser } from './browser.js'
import type { PasskeyOffer } from './types.js'

/** Members of the options that browsers want as bytes. */
interface OptionsJson {
  readonly challenge: string
  readonly user?: { readonly id: string }
  readonly excludeCredentials?: readonly { readonly id: string }[]
  readonly allowCredentials?: readonly { readonly id: string }[]
}

/** How the browser asks. */
interface Ceremony {
  /** `conditional` offers passkeys in the autofill of a field, instead of a dialog. */
  readonly mediation?: 'conditional' | undefined
  /** Takes the request back. */
  readonly signal?: AbortSignal | undefined
}

/** What the browser returns, as JSON. */
interface Responses {
  readonly create: Static<typeof PasskeyRegistration>
  readonly get: Static<typeof PasskeyAssertion>
}

const bytesOf = (text: string) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (character) =>
    character.charCodeAt(0),
  )
const textOf = (bytes: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '')

const withBytes = <T extends { readonly id: string }>(entry: T) => ({
  ...entry,
  id: bytesOf(entry.id),
})

/** What the native parsers do. Absent lists stay undefined, which is the same to browsers. */
const parse = (options: OptionsJson) => ({
  ...options,
  challenge: bytesOf(options.challenge),
  user: options.user && withBytes(options.user),
  excludeCredentials: options.excludeCredentials?.map(withBytes),
  allowCredentials: options.allowCredentials?.map(withBytes),
})

function jsonOf(credential: BrowserCredential): object {
  try {
    return credential.toJSON()
  } catch {
    // Older browsers have none, and password managers return objects whose inherited one throws.
  }
  const { id, type, response } = credential
  const members: Record<string, unknown> = { transports: response.getTransports?.() }
  // Members are getters of the prototype, so spreading would miss them.
  for (const name in response) {
    const value = response[name] as Partial<ArrayBuffer> | null
    if (value?.byteLength) members[name] = textOf(value as ArrayBuffer)
  }
  return { id, rawId: id, type, response: members }
}

/**
 * Has the browser make a passkey, or sign a challenge with one. Returns what proves that to the
 * server.
 * @throws DOMException what the browser refuses with, unchanged
 */
export async function prove<Verb extends keyof Responses>(
  verb: Verb,
  { challenge_id, options }: PasskeyOffer,
  request?: Ceremony,
): Promise<{ challenge_id: string; response: Responses[Verb] }> {
  const parser = `parse${verb === 'get' ? 'Request' : 'Creation'}OptionsFromJSON` as const
  const publicKey =
    browser.PublicKeyCredential?.[parser]?.(options) ?? parse(options as OptionsJson)
  const credential = await browser.navigator.credentials[verb]({ ...request, publicKey })
  const response = jsonOf(credential) as Responses[Verb]
  return { challenge_id, response }
}
