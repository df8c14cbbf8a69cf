import type { FastifyReply, FastifyRequest } from 'fastify'
import { completeSignInWith, type SignIns } from '../../core/sign-in/complete.js'
import type { CountAddress } from '../../core/sign-in/lockout.js'
import type { PasskeyRequest } from '../../core/sign-in/passkey-factor.js'
import type { Users } from '../../core/users/users.js'
import { randomToken } from '../../crypto/random.js'
import { BadCredentialsError, BadRequestError } from '../../errors.js'
import { type CrudAuthHooks, runBefore } from '../../events.js'
import { refuseCrossSite } from '../../http/cross-site.js'
import type { JudgeAssertion } from './assertions.js'
import type { PasskeyChallenges } from './challenges.js'
import type { WebAuthn } from './webauthn.js'

/** The answer to the options of a sign-in. */
interface Answer {
  readonly challenge_id: string
  readonly response: unknown
  readonly transport?: string | undefined
  readonly rememberMe?: boolean | undefined
  readonly scopes?: readonly string[] | undefined
}

/** Sign-in with a passkey alone. The passkey tells who the user is. */
export interface PasskeySignIn {
  /** Options that are the same for everyone, so they tell nothing about accounts. */
  begin(request: FastifyRequest): Promise<PasskeyRequest>
  /**
   * Returns the response body of the transport, or the challenge of a second factor.
   * @throws BadCredentialsError (401) for every wrong answer; BadRequestError (400) for an unknown
   * transport; CrossSiteError (403); ForbiddenError (403) by a hook; LockedOutError (429);
   * UnavailableError (503)
   */
  finish(request: FastifyRequest, reply: FastifyReply, answer: Answer): Promise<object>
}

interface Dependencies {
  readonly users: Users
  readonly challenges: PasskeyChallenges
  readonly webauthn: WebAuthn
  readonly judge: JudgeAssertion
  readonly signIns: SignIns
  readonly countAddress: CountAddress
  readonly hooks: CrudAuthHooks
  readonly trustedOrigins: ReadonlySet<string>
  /** Names of the transports, in the order of the option. */
  readonly transports: readonly string[]
}

/** One wording for every wrong answer. The code is that of a wrong password. */
const refused = () =>
  Object.assign(new BadCredentialsError(), { message: 'The passkey was not accepted' })

export function createPasskeySignIn(services: Dependencies): PasskeySignIn {
  const { users, challenges, webauthn, judge, signIns, hooks } = services

  const transportOf = (asked: string | undefined): string => {
    const name = asked ?? services.transports.find((each) => signIns.transports.has(each))
    if (name !== undefined && signIns.transports.has(name)) return name
    throw new BadRequestError('No transport of this name signs users in')
  }

  return {
    async begin(request) {
      const challenge = randomToken()
      const [challenge_id, options] = await Promise.all([
        challenges.begin(request, { purpose: 'login', user: null, of: '', challenge }),
        webauthn.requestOptions({ challenge, allowed: null, verifiesUser: false }),
      ])
      return { challenge_id, options }
    },

    async finish(request, reply, { transport: asked, rememberMe, scopes, ...proof }) {
      const transport = transportOf(asked)
      if (signIns.transports.get(transport)?.setsCookies)
        refuseCrossSite(request, services.trustedOrigins)
      const attempt = await services.countAddress(request)
      const expected = { purpose: 'login', user: null, of: '', verifiesUser: false } as const
      const used = await judge(request, expected, proof).catch(async (error) => {
        // Nothing was judged.
        await attempt.giveBack()
        throw error
      })
      if (!used) throw refused()
      const { user, userVerified } = used
      await runBefore(() => hooks.onBeforeLogin?.(users.publicView(user), { request }))
      return completeSignInWith(services, transport)(request, reply, user, {
        rememberMe,
        scopes,
        amr: userVerified ? ['webauthn', 'mfa'] : ['webauthn'],
        attempt,
      })
    },
  }
}
