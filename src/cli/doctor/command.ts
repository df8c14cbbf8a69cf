import { type Command, UsageError } from '../usage.js'
export const doctor: Command = {
  summary: 'Check an app.',
  help: '',
  run() {
    throw new UsageError('not yet')
  },
}
