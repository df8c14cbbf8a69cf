import { accountView } from '../../core/users/account-view.js'
import type { Row, Users } from '../../core/users/users.js'

/** Response body of a sign-in in JSON mode, without `redirect_to`. */
export const createSignInBody =
  (users: Users) =>
  (user: Row, established: { readonly csrf_token?: unknown }): object => {
    const { id, username, email } = accountView(users, user)
    return {
      user: {
        user_id: id,
        username,
        email,
        is_superuser: users.flagOf(user, 'isSuperuser', false),
      },
      csrf_token: established.csrf_token,
    }
  }
