import type { TestContext } from 'node:test'
import type {
  PublicKeyCredentialCreationOptionsJSON as Creation,
  PublicKeyCredentialRequestOptionsJSON as Request,
} from '@simplewebauthn/server'
import type { Authenticator } from '../helpers/authenticator.js'

type Json = Record<string, unknown>
/** What `navigator.credentials` was asked for. */
interface Asked {
  readonly publicKey: Json
  readonly mediation?: unknown
  readonly signal?: AbortSignal
}
type Responded = ReturnType<Authenticator['create']> | ReturnType<Authenticator['get']>

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const bufferOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64url')).buffer

/** Every array of bytes in options as base64url, as their JSON has it. */
function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return textOf(value)
  if (Array.isArray(value)) return value.map(withoutBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withoutBytes(member)]),
  )
}

/** A credential of a browser without `toJSON`. Its members are getters of the prototype. */
function oldCredential({ id, type, response }: Responded) {
  const { transports, ...members } = response as unknown as Json & { transports?: string[] }
  const prototype = Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(members).map(([name, text]) => [
        name,
        { enumerable: true, get: () => (text ? bufferOf(text as string) : null) },
      ]),
    ),
  )
  const own = Object.create(prototype) as { getTransports?: () => string[] }
  if (transports) own.getTransports = () => transports
  return { id, type, response: own }
}

/**
 * Puts the WebAuthn interface of a browser into this process until the test ends. Returns what
 * `navigator.credentials` was asked for.
 */
export function fakeBrowser(
  t: TestContext,
  authenticator: Authenticator,
  { isOld = false }: { readonly isOld?: boolean } = {},
) {
  const asked: Asked[] = []
  const answer = (request: Asked, respond: (json: Json) => Responded) => {
    asked.push(request)
    const response = respond(
      (isOld ? withoutBytes(request.publicKey) : request.publicKey.json) as Json,
    )
    return isOld ? oldCredential(response) : { toJSON: () => response }
  }
  const navigator = {
    credentials: {
      create: async (request: Asked) =>
        answer(request, (json) => authenticator.create(json as unknown as Creation)),
      get: async (request: Asked) =>
        answer(request, (json) => authenticator.get(json as unknown as Request)),
    },
  }
  const parsed = (json: object) => ({ json })
  const PublicKeyCredential = isOld
    ? {}
    : {
        parseCreationOptionsFromJSON: parsed,
        parseRequestOptionsFromJSON: parsed,
        isConditionalMediationAvailable: async () => true,
      }
  for (const [name, value] of Object.entries({ navigator, PublicKeyCredential })) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name)
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value })
    t.after(() => {
      if (before) Object.defineProperty(globalThis, name, before)
      else Reflect.deleteProperty(globalThis, name)
    })
  }
  return asked
}
