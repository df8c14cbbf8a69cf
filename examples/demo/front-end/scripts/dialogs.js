/** Modal dialogs. The browser moves the focus into them and back, and closes them on Escape. */

/** Opens a dialog. Resolves to the value of the button that closed it, or to an empty string. */
export function openDialog(dialog) {
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }),
  )
}
