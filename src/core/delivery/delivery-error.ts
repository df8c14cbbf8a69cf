import type { DeliveryIntent } from '../../ports/delivery-channel.js'
import { isPermanent } from './retry-queue.js'

/**
 * A delivery failed. Message and stack are the channel's, without the token and the address: what is logged, or kept by a
 * queue of the app's, reveals nothing to its readers.
 */
export class DeliveryFailedError extends Error {
  /** Code of the channel's error, when it has one. */
  readonly code: string
  /** Trying again is of no use. */
  readonly permanent: boolean

  constructor(message: string, { code = 'CRUDAUTH_DELIVERY_FAILED', permanent = false } = {}) {
    super(message)
    this.name = 'DeliveryFailedError'
    this.code = code
    this.permanent = permanent
  }
}

/** Anything like an address; servers repeat it in one spelling or another. Bounded, so that no text takes long to search. */
const addressLike = /[^\s<>"'(),;:=@]{1,320}@[^\s<>"'(),;:]{1,320}/g
const credentialsOfUrl = /\/\/[^\s/@]{0,512}@/g
/** A place in a file, and nothing else that begins so. */
const frameLike = /^\s{4}at .{0,400}:\d+:\d+\)?$/
const maxFrames = 30
const codeLike = /^[\w.:-]{1,64}$/
const maxLength = 500
/** How much of a text is searched: a server may have sent a long one. */
const maxSearched = 2000

/** Each spelling in which a secret may turn up in a text of somebody else. */
function spellings(secret: string): string[] {
  const plain = secret.replace(/^\+/, '')
  return [secret, plain, encodeURIComponent(secret), encodeURIComponent(plain)]
}

/** A text of somebody else without what it may repeat of a message. */
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

/** What may be told of a channel's error. */
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
  const told = new DeliveryFailedError(scrub(error.message, intent), {
    ...(typeof code === 'string' &&
      codeLike.test(code) &&
      scrub(code, intent) === code && { code }),
    permanent: isPermanent(cause),
  })
  // Where it happened, without what repeats the message, whose lines may look like these.
  const stack = (error.stack ?? '').replace(error.message, '')
  const frames = stack
    .split('\n', maxFrames)
    .filter((line) => frameLike.test(line))
    .map((line) => scrub(line, intent))
  told.stack = [`${told.name}: ${told.message}`, ...frames].join('\n')
  return told
}
