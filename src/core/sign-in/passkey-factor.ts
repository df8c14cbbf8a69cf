import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'

/** Options for `navigator.credentials`, in the form of the wire. */
export interface PasskeyRequest {
  /** For the request that sends the result. */
  readonly challenge_id: string
  /** For `PublicKeyCredential.parseRequestOptionsFromJSON`. */
  readonly options: Readonly<Record<string, unknown>>
}

/** What a challenge of a passkey is for. It is worth nothing anywhere else. */
export interface PasskeyPurpose {
  readonly name: 'second-factor' | 'sudo'
  /** The sign-in or the session that it belongs to. */
  readonly of: string
  /** Whether the authenticator must verify its user. Default: only if the app requires it. */
  readonly verifiesUser?: boolean
}

/**
 * Passkeys, as the second factor and sudo mode see them. The feature that provides them registers
 * it. Methods throw UnavailableError (503) in an outage.
 */
export interface PasskeyFactor {
  /** Whether the user has a passkey. Costs a query. */
  has(user: Row): Promise<boolean>
  /** Creates a challenge for the user's passkeys. Returns null if the user has none. */
  begin(request: FastifyRequest, user: Row, purpose: PasskeyPurpose): Promise<PasskeyRequest | null>
  /**
   * Judges the answer to a challenge, and uses the challenge up. False for a wrong one.
   * @param proof `{ challenge_id, response }` as the client sent it
   */
  verify(
    request: FastifyRequest,
    user: Row,
    purpose: PasskeyPurpose,
    proof: unknown,
  ): Promise<boolean>
}

/** Whether passkeys are configured and the user has one. */
export const hasPasskey = async (
  { passkeys }: { readonly passkeys: PasskeyFactor | null },
  user: Row,
): Promise<boolean> => (await passkeys?.has(user)) === true
