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

/** Limit of a decoded body. Metadata and key sets take a few KiB. */
const maxBodyBytes = 1_048_576

/** A connection refused because of its target address (SSRF protection). */
class BlockedAddress extends Error {}

/** Parts of a request, as oauth4webapi passes them. */
interface RequestParts {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** HTTP client with limits, used as `customFetch` of oauth4webapi. */
export interface Http {
  /**
   * Returns the response, fully read, if it is a 200 with at most 1 MiB of JSON. Follows no
   * redirects.
   * @throws OAuthFailure for any other response, and for network errors
   */
  fetch(url: string, parts: RequestParts): Promise<Response>
  /** Closes all connections, and aborts requests that use or wait for one. */
  close(): Promise<void>
}

/**
 * Resolves like Node itself, and refuses addresses that aren't public. The socket connects to the
 * address that was checked, which prevents DNS rebinding.
 */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    const [first] = found ?? []
    if (error) callback(error, '')
    // One private address is enough to refuse, because the socket may connect to any of them.
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
    // An IP address is connected to without a lookup, so it is checked here.
    if (isIP(host) && !isPublicAddress(host)) callback(new BlockedAddress(), null)
    else connect(options, callback)
  }
}

/** The error and its causes, outermost first. At most 8. */
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
  // A `Z_…` code is from zlib: the provider sent a body that can't be decompressed.
  return new OAuthFailure(detail?.startsWith('Z_') ? 'malformed' : 'unreachable', { detail })
}

async function readText(response: UndiciResponse): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Chunks are already decompressed, so the limit also stops decompression bombs.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Throwing out of the loop closes the connection.
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
  // An error page that isn't JSON counts as an HTTP error, not as `malformed`.
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
    // The content type isn't checked: providers send JSON as text/javascript, text/plain and worse.
    const text = await readText(response)
    parsed(text)
    return new Response(text, { headers: { 'content-type': 'application/json' } })
  } catch (error) {
    // Stops the download of a body that won't be read.
    if (!response.bodyUsed) await response.body?.cancel().catch(() => {})
    throw error
  }
}

/**
 * Creates the HTTP client of one provider.
 * @param options.allowInsecure allows http and addresses that aren't public
 * @param options.timeoutMs limit for connecting; callers limit the whole request with a signal
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
  // Connections are only reused within one sign-in. Later the provider may be closing them, and a
  // request with an authorization code can't be retried.
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
