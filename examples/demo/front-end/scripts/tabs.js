/** Tabs, with the keys of the ARIA pattern: arrows change the tab, Tab moves into its panel. */

/** Returns a function that selects a tab by its index. */
export function mountTabs(list) {
  const tabs = [...list.querySelectorAll('[role=tab]')]
  const select = (index) => {
    for (const [at, tab] of tabs.entries()) {
      tab.setAttribute('aria-selected', String(at === index))
      tab.tabIndex = at === index ? 0 : -1
      document.getElementById(tab.getAttribute('aria-controls')).hidden = at !== index
    }
  }
  const steps = { ArrowRight: 1, ArrowLeft: -1 }
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener('click', () => select(index))
    tab.addEventListener('keydown', (event) => {
      if (!(event.key in steps)) return
      event.preventDefault()
      const next = (index + steps[event.key] + tabs.length) % tabs.length
      select(next)
      tabs[next].focus()
    })
  }
  return select
}
