import dns from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import {
  Agent,
  buildConnector,
  fetch,
  type RequestInit,
  type Response as UndiciResponse,
} from 'undici'
import { isObject } from './json.js'
import { OAuthFailure, registeredError } from './oauth-failure.js'
import { isPublicAddress } from './private-addresses.js'

/** Decoded bytes. Metadata and key sets take a few KiB. */
const maxBodyBytes = 1_048_576

/** A connection that was not made, for where it would have led. */
class BlockedAddress extends Error {}

/** What a request is made of: any request of oauth4webapi. */
interface RequestParts {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Requests within limits, as `customFetch` of oauth4webapi. */
export interface Http {
  /**
   * The answer, if it is a 200 with JSON of at most 1 MiB, read to its end. Follows no redirect.
   * @throws OAuthFailure for everything else
   */
  fetch(url: string, parts: RequestParts): Promise<Response>
  /** Ends every connection, and what waits for one. */
  close(): Promise<void>
}

/**
 * Resolves like Node itself and refuses what is not public. The answer is what the socket connects to: a name that resolves
 * otherwise the next time gains nothing.
 */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    const [first] = found ?? []
    if (error) callback(error, '')
    // One private address is enough: which of several is connected to is not for us to say.
    else if (!first || !found.every(({ address }) => isPublicAddress(address)))
      callback(new BlockedAddress(), '')
    else if (options.all) callback(null, found)
    else callback(null, first.address, first.family)
  })
}

function guardedConnector(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({ timeout: timeoutMs, lookup: lookupPublic })
  return (options, callback) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
    // An address is connected to without a look-up.
    if (isIP(host) && !isPublicAddress(host)) callback(new BlockedAddress(), null)
    else connect(options, callback)
  }
}

/** Errors of the network, innermost first, whatever the layers above made of them. */
function* causesOf(error: unknown): Generator<Error & { code?: unknown }> {
  for (
    let cause = error, depth = 0;
    cause instanceof Error && depth < 8;
    cause = cause.cause, depth += 1
  )
    yield cause
}

function networkFailure(error: unknown, signal: AbortSignal | undefined): OAuthFailure {
  if (error instanceof OAuthFailure) return error
  const causes = [...causesOf(error)].reverse()
  if (causes.some((cause) => cause instanceof BlockedAddress))
    return new OAuthFailure('blocked_address')
  const codes = causes.map(({ code }) => code)
  if (signal?.aborted || codes.includes('UND_ERR_CONNECT_TIMEOUT'))
    return new OAuthFailure('timeout')
  const detail = codes.find(
    (code): code is string => typeof code === 'string' && /^[A-Z][A-Z\d_]{2,48}$/.test(code),
  )
  // A body that zlib cannot read is the provider's mistake.
  return new OAuthFailure(detail?.startsWith('Z_') ? 'malformed' : 'unreachable', { detail })
}

async function readText(response: UndiciResponse): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Decoded already: what counts is what a compressed body becomes.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop ends the connection.
    if (bytes > maxBodyBytes) throw new OAuthFailure('too_large')
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new OAuthFailure('malformed')
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new OAuthFailure('malformed')
  }
}

async function refusalOf(response: UndiciResponse): Promise<OAuthFailure> {
  const { status } = response
  if (status >= 300 && status < 400) return new OAuthFailure('redirected', { status })
  if (status < 400 || status >= 500) return new OAuthFailure('http_error', { status })
  // An error page is no JSON, and no mistake of the protocol's.
  const body = await readText(response)
    .then(parsed)
    .catch((error: OAuthFailure) => (error.reason === 'malformed' ? null : Promise.reject(error)))
  const hasError = isObject(body) && typeof body.error === 'string'
  return new OAuthFailure(hasError ? 'provider_error' : 'http_error', {
    status,
    detail: hasError ? registeredError(body.error) : undefined,
  })
}

async function accept(response: UndiciResponse): Promise<Response> {
  try {
    if (response.status !== 200) throw await refusalOf(response)
    // JSON is known by parsing it: providers call it text/javascript, text/plain and worse.
    const text = await readText(response)
    parsed(text)
    return new Response(text, { headers: { 'content-type': 'application/json' } })
  } catch (error) {
    // Ends the download of what nobody will read.
    if (!response.bodyUsed) await response.body?.cancel().catch(() => {})
    throw error
  }
}

/**
 * @param options.allowInsecure allows http and addresses that are not public
 * @param options.timeoutMs how long connecting may take; the whole is the caller's to bound, by a signal
 */
export function createHttp({
  allowInsecure,
  timeoutMs,
}: {
  allowInsecure: boolean
  timeoutMs: number
}): Http {
  const connector = allowInsecure
    ? buildConnector({ timeout: timeoutMs })
    : guardedConnector(timeoutMs)
  // Kept for the steps of one sign-in. Later the provider may just be closing it, and a code cannot be sent twice.
  const dispatcher = new Agent({
    connect: connector,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
  })
  return {
    async fetch(url, parts) {
      if (!allowInsecure && new URL(url).protocol !== 'https:')
        throw new OAuthFailure('insecure_url')
      try {
        return await accept(
          await fetch(url, { ...(parts as RequestInit), redirect: 'manual', dispatcher }),
        )
      } catch (error) {
        throw networkFailure(error, parts.signal)
      }
    },
    close: () => dispatcher.destroy(),
  }
}
