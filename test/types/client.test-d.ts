/** Compiled, never run: the types of the client, which come from the schemas. */
import type { Static } from '@sinclair/typebox'
import type { Me, SessionList, TotpSetup } from '../../schemas/index.js'
import {
  type AuthErrorCode,
  createAuthClient,
  type MfaRequired,
  type SignedIn,
} from '../../src/client/index.js'

type Equals<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <T extends true>(): T => true as T

const auth = createAuthClient({ baseUrl: '/auth' })

// Results are those of the schemas.
const me = await auth.me()
is<Equals<Exclude<typeof me, null>['user_id'], Static<typeof Me>['user_id']>>()
is<Equals<Exclude<typeof me, null>['email'], string | null>>()
const list = await auth.sessions.list()
is<Equals<typeof list, Static<typeof SessionList>>>()
const own = await auth.me<{ plan: 'free' | 'paid' }>()
is<Equals<Exclude<typeof own, null>['plan'], 'free' | 'paid'>>()
// @ts-expect-error: null if nobody is signed in
export const id = me.id
// @ts-expect-error: wire names are in snake case
export const verified = me?.emailVerified

// A sign-in narrows by its member.
const result = await auth.login({ username: 'ada', password: 'x', remember_me: true })
is<Equals<typeof result, SignedIn | MfaRequired>>()
if ('mfaRequired' in result) {
  is<Equals<typeof result, MfaRequired>>()
  is<Equals<typeof result.mfaRequired, true>>()
  is<Equals<typeof result.setup, Static<typeof TotpSetup> | undefined>>()
  const finished = await auth.mfa.verify({ challenge: result.challenge, code: '123456' })
  is<Equals<typeof finished.recovery_codes, string[] | undefined>>()
  // @ts-expect-error: nobody is signed in yet
  result.csrf_token
} else {
  is<Equals<typeof result, SignedIn>>()
  if ('access_token' in result) is<Equals<typeof result.expires_in, number>>()
  else is<Equals<typeof result.csrf_token, string | null>>()
}
// @ts-expect-error: `challenge` is not there without a look
export const challenge = (await auth.login({ username: 'a', password: 'b' })).challenge

// Codes are a union.
createAuthClient({
  baseUrl: '/auth',
  onSudoRequired({ code }) {
    is<Equals<typeof code, AuthErrorCode | null>>()
    // @ts-expect-error: a misspelt code
    return code === 'CRUDAUTH_SUDO_REQURED'
  },
})

// Misuse.
// @ts-expect-error: the client needs to know where the routes are
createAuthClient({})
// @ts-expect-error: no such transport
createAuthClient({ baseUrl: '/auth', transport: 'cookie' })
// @ts-expect-error: a password is required
auth.register({ email: 'ada@example.com' })
// @ts-expect-error: wire names
auth.login({ username: 'ada', password: 'x', rememberMe: true })
auth.register({ email: 'ada@example.com', password: 'x', plan: 'free' })
auth.addEventListener('change', () => {})
