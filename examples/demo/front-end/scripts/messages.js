/** What the pages say after an action: a status, or an error with its code. */

import { byId, el } from './dom.js'
import { textOf } from './error-texts.js'

/** The text of an error and its code, which leads to the documentation. */
export const errorParts = (error) => [
  textOf(error),
  ...(error.code ? [' ', el('code', {}, error.code)] : []),
]

/** @param parts strings and elements */
export function say(...parts) {
  byId('alert').replaceChildren()
  byId('status').replaceChildren(...parts)
}

/** @param place where to show it: in an open dialog, or at the top of the page */
export function sayError(error, place = byId('alert')) {
  byId('status').replaceChildren()
  place.replaceChildren(...errorParts(error))
}

export function quiet() {
  for (const place of document.querySelectorAll('[role=status], [role=alert]'))
    place.replaceChildren()
}
