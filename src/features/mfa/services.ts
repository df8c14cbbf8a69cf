import type { SignIns } from '../../core/sign-in/complete.js'
import type { Row, Users } from '../../core/users/users.js'
import type { RouteLimits } from '../../groups/feature.js'
import type { Enrollment } from './enrollment.js'
import type { Management } from './management.js'
import type { Setup } from './second-factor.js'
import type { Verification } from './verification.js'

/** Services of the routes. */
export interface MfaServices extends RouteLimits {
  readonly users: Users
  /** Logical name of the recovery field, or null. */
  readonly recoveryField: string | null
  readonly enrollment: Enrollment
  readonly verification: Verification
  readonly management: Management
  readonly setupOf: (user: Row, secret: string) => Setup
  readonly signIns: SignIns
}
