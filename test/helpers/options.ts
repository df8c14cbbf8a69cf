import type { CrudAuthOptions } from '../../src/core/option-types.js'
import { account } from '../../src/features/account/index.js'
import { bearer } from '../../src/features/bearer/index.js'
import { email } from '../../src/features/email/index.js'
import { management } from '../../src/features/management/index.js'
import { mfa } from '../../src/features/mfa/index.js'
import { oauth } from '../../src/features/oauth/index.js'
import { passkeys } from '../../src/features/passkeys/index.js'
import { session } from '../../src/features/session/index.js'
import { resolveOptions } from '../../src/groups/resolve-options.js'

/** Checks options and fills in the defaults, as the plugin does. */
export const resolvedOptions = (options: CrudAuthOptions) =>
  resolveOptions([account, session, management, bearer, email, oauth, mfa, passkeys], options, '')
    .settings
