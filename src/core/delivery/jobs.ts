import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { BadRequestError } from '../../errors.js'
import type { DeliveryIntent, DeliveryJob } from '../../ports/delivery-channel.js'

/**
 * Content of a job: an intent for one channel, with the user's id instead of the row, and an
 * expiry.
 */
export interface JobContent extends Omit<DeliveryIntent, 'user'> {
  readonly channel: string
  /** As the caller encoded it. */
  readonly userId: string
  /** `Date.now()` milliseconds; null for messages that do not expire. */
  readonly endsAtMs: number | null
}

/** Maximum size of a payload. Every part of a job has a bounded length. */
const maxPayload = 16_384

const refuse = (message: string) => Object.assign(new BadRequestError(message), { permanent: true })

export function sealJob(seal: Seal, content: JobContent): DeliveryJob {
  return Object.freeze({ id: randomToken(16), payload: seal.seal(JSON.stringify(content)) })
}

/** @throws CRUDAUTH_BAD_REQUEST with `permanent: true` for an invalid job */
export function openJob(seal: Seal, job: unknown): JobContent {
  const payload = (job as DeliveryJob | null | undefined)?.payload
  if (typeof payload !== 'string' || payload.length > maxPayload) {
    throw refuse('A delivery job must be { id, payload }, as passed to "enqueue"')
  }
  const text = seal.open(payload)
  if (text === null)
    throw refuse(
      'The delivery job was modified, or encrypted with a secret that is no longer configured',
    )
  return JSON.parse(text) as JobContent
}
