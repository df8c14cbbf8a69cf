import type { DeliveryIntent } from '../../ports/delivery-channel.js'
import { isPermanent } from './retry-queue.js'

/**
 * A delivery failed. Message and stack are the channel's, without the token and the address, so
 * that logs and job queues reveal neither.
 */
export class DeliveryFailedError extends Error {
  /** Code of the channel's error, if it has one. */
  readonly code: string
  /** Whether retrying is pointless. */
  readonly permanent: boolean

  constructor(message: string, { code = 'CRUDAUTH_DELIVERY_FAILED', permanent = false } = {}) {
    super(message)
    this.name = 'DeliveryFailedError'
    this.code = code
    this.permanent = permanent
  }
}

/**
 * Anything that looks like an address, because servers repeat it in various spellings. Bounded, so
 * that the search is fast for any text.
 */
const addressLike = /[^\s<>"'(),;:=@]{1,320}@[^\s<>"'(),;:]{1,320}/g
const credentialsOfUrl = /\/\/[^\s/@]{0,512}@/g
/** A stack frame with a place in a file. Other lines may start with "at" too. */
const frameLike = /^\s{4}at .{0,400}:\d+:\d+\)?$/
const maxFrames = 30
const codeLike = /^[\w.:-]{1,64}$/
const maxLength = 500
/** How much of a text is searched, because a server may send a long one. */
const maxSearched = 2000

/** The spellings in which a secret may appear in a channel's text. */
function spellings(secret: string): string[] {
  const plain = secret.replace(/^\+/, '')
  return [secret, plain, encodeURIComponent(secret), encodeURIComponent(plain)]
}

/** A channel's text without the secrets of the message that it may repeat. */
function scrub(
  text: string,
  { token, recipient }: Pick<DeliveryIntent, 'token' | 'recipient'>,
): string {
  const found = [...spellings(token ?? ''), ...spellings(recipient)].filter(
    (secret) => secret.length > 2,
  )
  let scrubbed = text.slice(0, maxSearched)
  for (const secret of found) scrubbed = scrubbed.replaceAll(secret, '[…]')
  return scrubbed
    .replace(credentialsOfUrl, '//[…]@')
    .replace(addressLike, '[…]')
    .slice(0, maxLength)
}

/** A channel's error without secrets, safe to log. */
export function deliveryFailure(
  cause: unknown,
  intent: Pick<DeliveryIntent, 'token' | 'recipient'>,
): DeliveryFailedError {
  const error =
    cause instanceof Error
      ? cause
      : new Error(
          typeof cause === 'string' ? cause : 'the channel threw a value that is not an error',
        )
  const { code } = error as { code?: unknown }
  const described = new DeliveryFailedError(scrub(error.message, intent), {
    ...(typeof code === 'string' &&
      codeLike.test(code) &&
      scrub(code, intent) === code && { code }),
    permanent: isPermanent(cause),
  })
  // Keep the place of the error. Remove the message first, because its lines may look like frames.
  const stack = (error.stack ?? '').replace(error.message, '')
  const frames = stack
    .split('\n', maxFrames)
    .filter((line) => frameLike.test(line))
    .map((line) => scrub(line, intent))
  described.stack = [`${described.name}: ${described.message}`, ...frames].join('\n')
  return described
}
