import type { Sessions } from '../../core/sessions/sessions.js'
import type { EstablishSignIn } from '../../core/sign-in/complete.js'
import { accountView } from '../../core/users/account-view.js'
import type { Users } from '../../core/users/users.js'
import type { Emit } from '../../events.js'

interface Dependencies {
  readonly sessions: Sessions
  readonly users: Users
  readonly emit: Emit
}

/** Creates the session of a user who has just authenticated, and sets its cookies. */
export const createSessionSignIn =
  ({ sessions, users, emit }: Dependencies): EstablishSignIn =>
  async (
    request,
    reply,
    user,
    { startedIn = null, rememberMe, metadata, authenticatedAt, amr },
  ) => {
    const init = { rememberMe, metadata, authenticatedAt, amr }
    const session = await sessions.create(request, user, init, startedIn)
    sessions.setCookies(reply, session)
    await emit('onAfterLogin', { user, transport: 'session' }, request)
    const { id, username } = accountView(users, user)
    return { id, username, csrf_token: session.csrfToken }
  }
