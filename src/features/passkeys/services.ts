import type { SignIns } from '../../core/sign-in/complete.js'
import type { Users } from '../../core/users/users.js'
import type { RouteLimits } from '../../groups/feature.js'
import type { PasskeyManagement } from './management.js'
import type { PasskeyRegistration } from './registration.js'
import type { PasskeySignIn } from './sign-in.js'

/** Services of the routes. */
export interface PasskeyServices extends RouteLimits {
  readonly users: Users
  /** Logical name of the recovery field, or null. */
  readonly recoveryField: string | null
  readonly signIn: PasskeySignIn
  readonly registration: PasskeyRegistration
  readonly management: PasskeyManagement
  readonly signIns: SignIns
}
