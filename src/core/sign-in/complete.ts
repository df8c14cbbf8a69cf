import type { FastifyReply, FastifyRequest } from 'fastify'
import { fail } from '../../lib/option-checks.js'
import type { Row, Users } from '../users/users.js'
import type { CountedAttempt } from './lockout.js'
import { assertMaySignIn } from './may-sign-in.js'
import type { PasskeyFactor } from './passkey-factor.js'
import type { CompleteLoginOptions, Continuation, SignInContext } from './pending-sign-in.js'
import type { SecondFactor } from './second-factor.js'

/**
 * Creates the session or the tokens, sets the cookies, calls the hooks, and returns the response
 * body.
 */
export type EstablishSignIn = (
  request: FastifyRequest,
  reply: FastifyReply,
  user: Row,
  options: CompleteLoginOptions & SignInContext,
) => Promise<object>

/**
 * Establishes the sign-in, or returns the challenge of a second factor. Either way the password
 * attempt is settled.
 */
export type CompleteSignIn = (
  request: FastifyRequest,
  reply: FastifyReply,
  user: Row,
  options: CompleteLoginOptions &
    SignInContext &
    Continuation & { readonly attempt?: CountedAttempt | undefined },
) => Promise<object>

/**
 * Ends the request's session and tokens, clears their cookies, calls the hooks, and returns the
 * response body.
 * @throws UnauthenticatedError
 */
export type SignOut = (request: FastifyRequest, reply: FastifyReply) => Promise<object>

/** Options that are meant for one transport. */
type OwnOptions = Pick<CompleteLoginOptions, 'rememberMe' | 'scopes' | 'metadata'>

/** A way to sign in by a transport. */
interface Establishing {
  readonly establish: EstablishSignIn
  /**
   * Checks the options, and reduces them to what it would use. Called before a challenge is given:
   * a mistake must not show only after a code was used up.
   */
  prepare(options: OwnOptions): OwnOptions
  /** Whether another site could sign the browser in (login CSRF). */
  readonly setsCookies: boolean
}

/** How to sign in and out. The features register their implementations. */
export interface SignIns {
  /** By name of the transport. The session comes first, whatever the order of the transports. */
  readonly transports: Map<string, Establishing>
  /** Response bodies other than those of the transports, by name. */
  readonly bodies: Map<string, (user: Row, established: object) => object>
  /** Work of features after the second factor, by name. Returns the row as it is then. */
  readonly afterwards: Map<
    string,
    (request: FastifyRequest, user: Row, data: object) => Promise<Row>
  >
  signOut: SignOut | null
  /** Null: no second factor is ever asked for. */
  secondFactor: SecondFactor | null
  /** Null: there are no passkeys. */
  passkeys: PasskeyFactor | null
}

/**
 * The sign-in of the named transport. Default: the session, or tokens where there are no sessions.
 * With a second factor, the row of the user must be whole and have just been read.
 * @throws CRUDAUTH_CONFIG for a transport that is not configured
 */
export function completeSignInWith(
  { users, signIns }: { readonly users: Users; readonly signIns: SignIns },
  name?: string,
): CompleteSignIn {
  const transport = transportOf(signIns, name)
  const { establish } = signIns.transports.get(transport) as Establishing
  return async (request, reply, known, { attempt, afterwards, ...options }) => {
    let user = known
    if (signIns.secondFactor) {
      assertMaySignIn(users, user)
      const challenge = await signIns.secondFactor
        .challenge(request, user, { ...options, afterwards, transport })
        .catch(async (error) => {
          await attempt?.giveBack()
          throw error
        })
      if (challenge) {
        // Nothing was guessed, but failures stay counted until the second factor is right too.
        await attempt?.giveBack()
        return challenge
      }
    }
    user = await runAfterwards(signIns, request, user, afterwards)
    // In parallel, so that both take one round trip.
    const [body] = await Promise.all([establish(request, reply, user, options), attempt?.forgive()])
    return body
  }
}

/** @throws CRUDAUTH_CONFIG */
export function transportOf({ transports }: SignIns, name?: string): string {
  const [first] = transports.keys()
  if (name === undefined)
    return (
      first ??
      fail('None of the "transports" signs users in; add sessionTransport() or bearerTransport()')
    )
  if (transports.has(name)) return name
  return fail(
    `No transport "${name}" signs users in; add it to the "transports", or give it "signIn"`,
  )
}

/** Does what had to wait until every factor was verified. Returns the row of the user. */
export const runAfterwards = async (
  { afterwards }: SignIns,
  request: FastifyRequest,
  user: Row,
  work: Continuation['afterwards'],
): Promise<Row> => (work && (await afterwards.get(work.name)?.(request, user, work.data))) ?? user
