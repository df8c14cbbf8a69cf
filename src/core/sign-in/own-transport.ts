import type { Emit } from '../../events.js'
import type { Transport } from '../../ports/transport.js'
import { checkMethods } from '../principal/methods.js'
import type { Users } from '../users/users.js'
import type { EstablishSignIn, SignIns } from './complete.js'
import { assertMaySignIn } from './may-sign-in.js'

/** The sign-in of a transport of the app. */
const createOwnSignIn =
  (
    { name }: Transport,
    signIn: NonNullable<Transport['signIn']>,
    { users, emit }: { readonly users: Users; readonly emit: Emit },
  ): EstablishSignIn =>
  async (request, reply, shown, { amr }) => {
    const user = await users.wholeRow(shown)
    assertMaySignIn(users, user)
    const context = { amr: checkMethods(amr) }
    const body = await signIn(request, reply, users.publicView(user), context)
    await emit('onAfterLogin', { user, transport: name }, request)
    return body
  }

/** Registers the transports of the app that have `signIn`, after those of the features. */
export function registerOwnSignIns(
  transports: readonly Transport[],
  services: { readonly users: Users; readonly emit: Emit; readonly signIns: SignIns },
): void {
  for (const transport of transports) {
    const signIn = transport.signIn?.bind(transport)
    if (!signIn) continue
    services.signIns.transports.set(transport.name, {
      establish: createOwnSignIn(transport, signIn, services),
      // `signIn` gets none of the options.
      prepare: () => ({}),
      // It may: the answer is up to the app.
      setsCookies: true,
    })
  }
}
